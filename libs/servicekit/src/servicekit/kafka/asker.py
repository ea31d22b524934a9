"""Waiting for replies: an instance's own partition of the replies topic, read from its end, without a group.

The partition follows from the instance's name; two instances may share one, because a reply names its instance and a
request id of 128 random bits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from secrets import token_urlsafe
from typing import Any, Literal
from zlib import crc32

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from pydantic import ValidationError

from contracts import replies
from contracts.cloudevents import headers, now_text
from contracts.inbound import ReplyTo
from contracts.replies import Heartbeat, MessagesReply, ReplyAdapter
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.consumers import partitions_of
from servicekit.kafka.publisher import KafkaPublisher, NotAcknowledged
from servicekit.kafka.records import Outgoing, Record
from servicekit.observability.metrics import gauge

_TOPIC = replies.TOPIC.name
HEARTBEAT_SECONDS = 2.0
ALIVE_SECONDS = 7.0
"""An instance that was not heard of for this long is not counted."""

log = structlog.get_logger()


class _Head(msgspec.Struct):
    kind: str = ""
    instance: str = ""
    request_id: str | None = None


_heads = msgspec.json.Decoder(_Head)


class Asker:
    """One per process. With a `publisher` it also says that this instance lives, and counts who else says so."""

    def __init__(
        self,
        cluster: Cluster,
        instance: str,
        *,
        publisher: KafkaPublisher | None = None,
    ) -> None:
        self.instance = instance
        self._publisher = publisher
        self._reader = _ReplyReader(cluster, instance, receive=self._receive, moved=self._began)
        self._waiting: dict[str, asyncio.Future[Any]] = {}
        self._listeners: list[Callable[[MessagesReply], None]] = []
        self._alive: dict[str, float] = {}
        self._reading = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to read, in the background and for ever."""
        self._tasks = [asyncio.create_task(self._reader.run(), name="asker")]
        if self._publisher is not None:
            self._tasks.append(asyncio.create_task(self._beat(self._publisher), name="heartbeats"))

    async def stop(self) -> None:
        """Stop reading; who still waits is cancelled."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for future in list(self._waiting.values()):
            future.cancel()

    @property
    def ready(self) -> bool:
        """Whether the partition has been taken: a reply to what is asked from now on will be seen."""
        return self._reading.is_set()

    async def wait_ready(self) -> None:
        """Return once the partition has been taken."""
        await self._reading.wait()

    def problem(self) -> str | None:
        """Why a service that waits for replies is not ready, None when it is."""
        return None if self.ready else self._reader.missing() or "the partition for replies has not been taken yet"

    @property
    def instances(self) -> int:
        """How many instances live, this one included."""
        horizon = time.monotonic() - ALIVE_SECONDS
        self._alive = {name: at for name, at in self._alive.items() if at > horizon}
        return len({*self._alive, self.instance})

    def ask(self, until: Literal["verdict", "rest"] = "rest") -> tuple[ReplyTo, asyncio.Future[Any]]:
        """An address for one reply, and the reply to come (a model of contracts.replies). Cancel what is not awaited."""
        request_id = token_urlsafe(16)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = future
        future.add_done_callback(lambda _: self._waiting.pop(request_id, None))
        address = ReplyTo(instance=self.instance, partition=self._reader.partition, request_id=request_id, until=until)
        return address, future

    def subscribe(self, listener: Callable[[MessagesReply], None]) -> None:
        """Call `listener` with each copy of new messages for this instance (a backlog goes to who asked for it)."""
        self._listeners.append(listener)

    def _began(self) -> None:
        self._reading.set()

    def _receive(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._take(record.value or b"")
            except (msgspec.DecodeError, ValidationError, UnicodeDecodeError, RecursionError) as error:
                log.warning(
                    "reply.unreadable", partition=record.partition, offset=record.offset, error=str(error)[:200]
                )

    def _take(self, value: bytes) -> None:
        head = _heads.decode(value)
        if head.kind == "heartbeat":
            self._alive[head.instance] = time.monotonic()
        elif head.instance == self.instance:
            future = self._waiting.get(head.request_id or "")
            if future is not None and not future.done():
                future.set_result(ReplyAdapter.validate_json(value))
            elif head.kind == "messages" and head.request_id is None:
                copies = ReplyAdapter.validate_json(value)
                for listener in self._listeners:
                    listener(copies)

    async def _beat(self, publisher: KafkaPublisher) -> None:
        """Tell every reply partition, every 2 s, that this instance lives."""
        body = Heartbeat(instance=self.instance).encode()
        while True:
            try:
                count = await publisher.partitions_for(_TOPIC)
                about = headers(id=token_urlsafe(12), type="reply.heartbeat", source=self.instance, time=now_text())
                key = self.instance.encode()
                await publisher.publish_many([Outgoing(_TOPIC, key, body, about, number) for number in range(count)])
            except NotAcknowledged as error:
                log.info("heartbeat.not_sent", error=str(error))
            gauge("switchhook_live_instances").set(self.instances)
            await asyncio.sleep(HEARTBEAT_SECONDS)


class _ReplyReader(AssignedReader):
    """Its partition follows from the instance's name."""

    def __init__(
        self,
        cluster: Cluster,
        instance: str,
        *,
        receive: Callable[[list[Record]], None],
        moved: Callable[[], None],
    ) -> None:
        super().__init__(
            cluster, _TOPIC, client_id=f"asker-{instance}", begin="end", receive=receive, moved=moved
        )  # fmt: skip
        self._instance = instance

    async def choose_partition(self, consumer: AIOKafkaConsumer) -> int:
        partitions = await partitions_of(consumer, self._cluster.named(self._topic))
        return crc32(self._instance.encode()) % len(partitions)
