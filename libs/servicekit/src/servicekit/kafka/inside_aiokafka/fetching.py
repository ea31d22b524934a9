"""Fetches have a connection of their own, wait long at the broker when nothing comes, and can be ended meanwhile.

A broker answers the requests of a connection one after the other: what is asked behind a fetch that waits for records
waits with it. And aiokafka has one fetch under way with each broker: a partition that is resumed, or read from somewhere
else, waits for its end. Both would forbid long waits, and short ones are most of what a stack does that has nothing to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final
from weakref import WeakKeyDictionary, ref

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest

from servicekit.kafka.inside_aiokafka.fetch_sessions import FetchSession

WAIT_MS, SILENT_WAIT_MS = 100, 5_000
"""How long the broker holds a fetch that finds nothing; the longer one once nothing has come for SILENT_SECONDS.

The first record ends either. The longer one stays well below the 15 s in which each request has to be answered.
"""
SILENT_SECONDS = 0.25
MUCH = 64 * 1024
FETCHES: Final = "fetches"
"""Names the connection beside aiokafka's own groups of them."""

_send = AIOKafkaClient.send


@dataclass(slots=True)
class _Fetches:
    """Of one client: when a fetch brought something, and those that wait long."""

    came: float = field(default_factory=lambda: time.monotonic())
    changed: float = field(default_factory=lambda: time.monotonic())
    """When something else was to be fetched last."""
    answered: float = -inf
    """When the last fetch was answered, without an error."""
    of_one_partition: bool = False
    fetcher: Callable[[], Any] = lambda: None
    """A weak reference: the fetcher has the client, by which this is kept."""
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    gather_seconds: float = 0.0
    """How long after an answer that brought little the next fetch goes out at the earliest."""
    little_came: float = 0.0
    sessions: dict[int, FetchSession] = field(default_factory=lambda: defaultdict(FetchSession))
    """By broker."""

    def brought(self, size: int) -> None:
        """An answer had so many bytes of records. Of what is much already nothing is gained by waiting for more."""
        self.came = time.monotonic()
        self.little_came = self.came if size < MUCH else 0.0

    async def gathered(self) -> None:
        """Wait until the next fetch may go out."""
        rest = self.little_came + self.gather_seconds - time.monotonic()
        if rest > 0:
            await asyncio.sleep(rest)

    def over(self, task: asyncio.Task[Any]) -> None:
        """aiokafka goes on as soon as anything has changed, and may see that a fetch is over in the moment before it has crossed its
        broker out of those that are being asked. It would ask that broker only after its time-out then."""
        fetcher = self.fetcher()
        if fetcher is not None and task not in fetcher._pending_tasks:
            fetcher._notify(fetcher._wait_consume_future)

    def end_waiting(self) -> None:
        for task in self.waiting:
            task.cancel()

    def anew(self) -> None:
        """Something else is to be fetched: a fetch that waits long may leave it out, and so may one that is about to go out."""
        self.changed = time.monotonic()
        self.end_waiting()

    @property
    def silent(self) -> bool:
        """Whether the next fetch may wait long: then it would have to be ended for what it leaves out, which costs a connection.
        One of a single partition leaves nothing out because of what has come."""
        since = self.changed if self.of_one_partition else max(self.changed, self.came)
        return time.monotonic() - since > SILENT_SECONDS

    @contextlib.contextmanager
    def under_way(self, request: Any) -> Iterator[None]:
        """While this task fetches. One that is to collect records waits as long as it says: its answer may be there."""
        task = asyncio.current_task()
        if task is None or request._min_bytes != 1 or not self.silent:
            yield
            return
        request._max_wait_ms = SILENT_WAIT_MS
        self.waiting.add(task)
        try:
            yield
        finally:
            self.waiting.discard(task)


_of_client: WeakKeyDictionary[AIOKafkaClient, _Fetches] = WeakKeyDictionary()


def gather(consumer: AIOKafkaConsumer, seconds: float) -> None:
    """See consumers.gather."""
    _of_client.setdefault(consumer._client, _Fetches()).gather_seconds = seconds


def waits(consumer: AIOKafkaConsumer) -> bool:
    """Whether a fetch of it waits long now."""
    return consumer._client in _of_client and bool(_of_client[consumer._client].waiting)


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """Ends a fetch that waits long when something else is to be fetched."""

    async def start(self) -> None:
        await super().start()
        _of_client.setdefault(self._client, _Fetches()).fetcher = ref(self._fetcher)

    async def getmany(self, *partitions: TopicPartition, **named: Any) -> Any:
        """What has come and is taken here makes room, also where no record comes of it: a fetch that went out meanwhile left those
        partitions out."""
        if self._fetcher._records:
            self._fetch_anew()
        return await super().getmany(*partitions, **named)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        super().seek(partition, offset)
        self._fetch_anew()

    def resume(self, *partitions: TopicPartition) -> None:
        super().resume(*partitions)
        self._fetch_anew()

    async def seek_to_beginning(self, *partitions: TopicPartition) -> bool:
        self._fetch_anew()
        return bool(await super().seek_to_beginning(*partitions))

    def _fetch_anew(self) -> None:
        if fetches := _of_client.get(self._client):
            fetches.anew()


class OnePartitionConsumer(Consumer):
    """For a partition that it was assigned: nothing else is ever fetched, so each fetch waits long from the beginning on."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        _of_client.setdefault(self._client, _Fetches()).of_one_partition = True

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, **named: Any) -> Any:
        """Returns, with nothing, also when something came without a record, such as the markers of a transaction, and when
        the fetching has ended: either is for the caller to see."""
        fetcher = self._fetcher
        if timeout_ms and not fetcher._records:
            came = fetcher._create_fetch_waiter()
            await asyncio.wait(
                [came, fetcher.error_future], timeout=timeout_ms / 1000, return_when=asyncio.FIRST_COMPLETED
            )
            came.cancel()
        return await AIOKafkaConsumer.getmany(self, *partitions, **named)

    def end_seen(self, tp: TopicPartition, seconds: float) -> int | None:
        """Where the log of what is committed ended by the last answer to a fetch; None where that is longer ago than so many
        seconds. An answer in a session names a partition only if something about it has changed."""
        if time.monotonic() - _of_client[self._client].answered > seconds:
            return None
        end: int | None = self.last_stable_offset(tp)
        return end


async def send(self: Any, node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
    """In place of `AIOKafkaClient.send`."""
    if not isinstance(request, FetchRequest):
        return await _send(self, node_id, request, group=group)
    fetches = _of_client.setdefault(self, _Fetches())
    if (task := asyncio.current_task()) is not None:
        task.add_done_callback(fetches.over)
    await fetches.gathered()
    session = fetches.sessions[node_id]
    try:
        with fetches.under_way(request):
            answer = await _send(self, node_id, session.request(request), group=FETCHES)
    except asyncio.CancelledError:
        # The broker would go on holding it, and with it whatever is fetched next on its connection.
        if connection := self._conns.get((node_id, FETCHES)):
            connection.close()
        raise
    except KafkaError:
        fetches.anew()  # Its partitions may have other leaders now. It is no fetch that waits any more, or it would end itself.
        raise
    session.answered(answer)
    if any(error for _, error, *_ in _partitions(answer)):
        fetches.anew()
        return answer
    fetches.answered = time.monotonic()
    if size := sum(len(records or b"") for *_, records in _partitions(answer)):
        fetches.brought(size)
    return answer


def _partitions(answer: Any) -> Iterator[Any]:
    return (partition for _, partitions in answer.topics for partition in partitions)


def install() -> None:
    """Put it in its place."""
    AIOKafkaClient.send = send
