"""In place of aiokafka's consumer and producer, and of what servicekit reaches into them for: clients of a LogInMemory."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import (
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed, committed_of
from servicekit.kafka.inside_aiokafka.incarnations import TopicState
from servicekit.kafka.records import Headers, Record
from simulation.network import Network, Server
from support.log_in_memory import Group, LogInMemory

AT_MOST = 500
PAUSE_SECONDS = 0.1
BATCH_BYTES = 1024 * 1024
GIVE_UP_SECONDS = 15.0


class Kafka:
    """The broker, and how it is reached."""

    def __init__(self, network: Network, log: LogInMemory) -> None:
        self.network, self.log = network, log
        self.server = Server("kafka", KafkaConnectionError)
        self.groups: dict[tuple[str, str], Group] = {}
        self.committed: dict[tuple[str, str, int], tuple[int, str]] = {}
        """(group, topic, partition) -> offset and metadata."""
        self.producers = 0
        self.given_up = 0.0  # The share of batches that are written, and that their producer gives up.

    async def ask(self, do: Callable[[], Any]) -> Any:
        return await self.network.ask(self.server, do)

    def group(self, name: str, topic: str) -> Group:
        self.log.part(topic, 0)
        if (name, topic) not in self.groups:
            loop = self.network.loop
            self.groups[name, topic] = Group(len(self.log.topics[topic]), loop.time, loop.later)
        return self.groups[name, topic]

    def make_consumer(
        self, cluster: Cluster, *, client_id: str, group: str, instance: str, session_timeout: float, **_: Any
    ) -> Consumer:
        return Consumer(self, group, instance, session_timeout)

    async def read_committed(self, cluster: Cluster, group: str, topic: str) -> dict[int, Committed]:
        """As servicekit.kafka.committed.read_committed."""
        return await self.ask(lambda: self.committed_by(group, topic))

    def committed_by(self, group: str, topic: str) -> dict[int, Committed]:
        """Partition -> what the group has committed."""
        of = {part: at for (name, there, part), at in self.committed.items() if (name, there) == (group, topic)}
        said = {part: committed_of(*at) for part, at in of.items()}
        return {part: each for part, each in said.items() if each is not None}

    def make_producer(self, cluster: Cluster, **_: Any) -> Producer:
        return Producer(self)


class Consumer:
    """What servicekit.kafka.group_reader uses of AIOKafkaConsumer."""

    def __init__(self, kafka: Kafka, group: str, instance: str, session: float) -> None:
        self._kafka, self._group, self._instance, self._session = kafka, group, instance, session
        self._topic, self._listener = "", Any
        self._positions: dict[int, int | None] = {}
        self._paused: set[int] = set()
        self._ends: dict[int, int] = {}
        self._changed = asyncio.Event()
        self._membership: asyncio.Task[None] | None = None
        self._member_id, self._generation = "", 0
        self._failed: Exception | None = None

    async def start(self) -> None:
        await self._kafka.ask(lambda: None)

    async def stop(self) -> None:
        """A static member does not say that it leaves."""
        if self._membership is not None:
            self._membership.cancel()
            await asyncio.gather(self._membership, return_exceptions=True)

    def subscribe(self, topics: Sequence[str], listener: Any) -> None:
        [self._topic], self._listener = topics, listener
        self._membership = asyncio.create_task(self._be_member())

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(self._topic, part) for part in self._positions}

    def highwater(self, tp: TopicPartition) -> int | None:
        self._mine(tp)
        return self._ends.get(tp.partition)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self._mine(tp)
        self._positions[tp.partition] = offset
        self._changed.set()

    def pause(self, tp: TopicPartition) -> None:
        self._mine(tp)
        self._paused.add(tp.partition)

    def resume(self, tp: TopicPartition) -> None:
        self._mine(tp)
        self._paused.discard(tp.partition)
        self._changed.set()

    def _mine(self, tp: TopicPartition) -> None:
        if tp.partition not in self._positions:
            raise IllegalStateError(f"{tp} is not assigned")

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        partitions = self._kafka.log.topics.get(topic)
        return None if partitions is None else set(range(len(partitions)))

    async def topic_state(self, topic: str) -> TopicState:
        """At once: it is asked every two seconds, and would take most of a run's chances of a lost answer to itself."""
        if self._kafka.network.over:
            raise asyncio.CancelledError
        if self._kafka.server.down:
            raise KafkaConnectionError("kafka is down")
        return self._kafka.log.state(topic)

    async def beginning_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        log = self._kafka.log
        return await self._kafka.ask(lambda: {tp: log.part(*tp).start for tp in tps})

    async def end_offsets(self, tps: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        log = self._kafka.log
        return await self._kafka.ask(lambda: {tp: log.part(*tp).end for tp in tps})

    async def commit(self, offsets: Any) -> None:
        """How far the group is; refused when it is divided anew meanwhile."""
        await self._kafka.ask(lambda: self._committed(offsets))

    def _committed(self, offsets: Any) -> None:
        self._kafka.group(self._group, self._topic).heartbeat(self._member_id, self._generation)
        for tp, (offset, metadata) in offsets.items():
            self._kafka.committed[self._group, self._topic, tp.partition] = (offset, metadata)

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Record]]:
        deadline = asyncio.get_running_loop().time() + timeout_ms / 1000
        while True:
            if self._failed is not None:
                raise self._failed
            self._changed.clear()
            wanted = {part: at for part, at in self._positions.items() if at is not None and part not in self._paused}
            try:
                found = await self._fetched(wanted, min(max_records, AT_MOST)) if wanted else {}
            except OffsetOutOfRangeError:
                raise
            except KafkaError:
                await asyncio.sleep(PAUSE_SECONDS)
                found = {}
            if found:
                return found
            try:
                async with asyncio.timeout_at(deadline):
                    await self._changed.wait()
            except TimeoutError:
                return {}

    async def _fetched(self, wanted: dict[int, int], most: int) -> dict[TopicPartition, list[Record]]:
        answer = await self._kafka.ask(lambda: self._fetch(wanted, most))
        found = {}
        for part, (records, end) in answer.items():
            if self._positions.get(part) != wanted[part] or part in self._paused:
                continue
            if records is None:
                raise OffsetOutOfRangeError({TopicPartition(self._topic, part): wanted[part]})
            self._ends[part] = end
            if records:
                found[TopicPartition(self._topic, part)] = records
                self._positions[part] = records[-1].offset + 1
        return found

    def _fetch(self, wanted: dict[int, int], most: int) -> dict[int, tuple[list[Record] | None, int]]:
        """At the broker, which says so when the first record comes where there is none now."""
        log, found = self._kafka.log, {}
        for part, at in wanted.items():
            try:
                found[part] = (log.fetch(self._topic, part, at, most), log.part(self._topic, part).end)
            except OffsetOutOfRangeError:
                found[part] = (None, -1)
            except UnknownTopicOrPartitionError:
                continue
        if not any(records or records is None for records, _ in found.values()):
            for part in found:
                log.part(self._topic, part).readers.append(self._something_came)
        return found

    def _something_came(self) -> None:
        self._kafka.network.loop.later(self._kafka.network.latency(), self._changed.set)

    async def _be_member(self) -> None:
        try:
            while True:
                with contextlib.suppress(KafkaConnectionError, UnknownTopicOrPartitionError):
                    await self._join()
                    await self._stay()
                await asyncio.sleep(PAUSE_SECONDS)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whoever reads gets it
            self._failed = error
            self._changed.set()

    async def _join(self) -> None:
        """Join, and have what the group gives. Raises UnknownTopicOrPartitionError."""
        self._let_go()
        self._member_id, self._generation, parts = await self._kafka.ask(self._joined)
        self._positions, self._paused, self._ends = dict.fromkeys(parts), set(), {}
        self._listener.on_partitions_assigned(self.assignment())
        self._changed.set()

    def _joined(self) -> Any:
        return self._kafka.group(self._group, self._topic).join(self._member_id, self._instance, self._session)

    async def _stay(self) -> None:
        """Until there is another generation."""
        while True:
            await asyncio.sleep(self._session / 6)
            try:
                await self._kafka.ask(
                    lambda: self._kafka.group(self._group, self._topic).heartbeat(self._member_id, self._generation)
                )
            except RebalanceInProgressError:
                return
            except UnknownMemberIdError:
                self._member_id = ""
                return
            except KafkaError:
                continue

    def _let_go(self) -> None:
        self._listener.on_partitions_revoked(self.assignment())
        self._positions = {}


class Producer:
    """What servicekit.kafka.publisher uses of AIOKafkaProducer."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.id = kafka.producers = kafka.producers + 1
        self.closed = False

    async def start(self) -> None:
        await self.kafka.ask(lambda: None)

    async def partitions_for(self, topic: str) -> set[int]:
        log = self.kafka.log
        count = await self.kafka.ask(lambda: len(log.topics.get(topic, ())))
        if not count:
            raise UnknownTopicOrPartitionError(topic)
        return set(range(count))


class Appended(NamedTuple):
    """Where a record lies."""

    offset: int


class Builder:
    """An aiokafka BatchBuilder."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes | None, bytes | None, Headers]] = []
        self._size, self._closed = 0, False

    def append(self, *, timestamp: Any, key: bytes | None, value: bytes | None, headers: Headers) -> object | None:
        size = len(key or b"") + len(value or b"") + sum(len(name) + len(each or b"") for name, each in headers) + 80
        if self._closed or (self.records and self._size + size > BATCH_BYTES):
            return None
        self._size += size
        self.records.append((key, value, tuple(headers)))
        return self

    def size(self) -> int:
        return self._size

    def close(self) -> None:
        self._closed = True


class Batch:
    """An aiokafka MessageBatch."""

    def __init__(self, tp: TopicPartition, builder: Builder) -> None:
        self.tp, self.builder = tp, builder
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._msg_futures: list[tuple[asyncio.Future[Any], None]] = []

    @property
    def record_count(self) -> int:
        return len(self.builder.records)

    def append(
        self, key: bytes | None, value: bytes | None, timestamp: Any, headers: Headers
    ) -> asyncio.Future[Any] | None:
        if self.builder.append(timestamp=timestamp, key=key, value=value, headers=headers) is None:
            return None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._msg_futures.append((future, None))
        return future

    def written(self, at: int) -> None:
        first = self.record_count - len(self._msg_futures)
        for number, (future, _) in enumerate(self._msg_futures):
            if not future.done():
                future.set_result(Appended(at + first + number))
        if not self.future.done():
            self.future.set_result(Appended(at))

    def given_up(self) -> None:
        if not self.future.done():
            self.future.set_exception(KafkaTimeoutError())
            self.future.exception()


class SendQueue:
    """In place of servicekit's: batches of a partition go one after the other, and again until they are acknowledged."""

    def __init__(self, producer: Producer) -> None:
        self.producer = producer
        self._queued: dict[TopicPartition, deque[Batch]] = {}
        self._numbers: dict[TopicPartition, int] = {}
        self._senders: dict[TopicPartition, asyncio.Task[None]] = {}

    def partitions(self, topic: str) -> int:
        return len(self.producer.kafka.log.topics.get(topic, ()))

    def new_batch(self) -> Builder:
        return Builder()

    def append(self, builder: Builder, tp: TopicPartition) -> Batch:
        batch = Batch(tp, builder)
        self._queued.setdefault(tp, deque()).append(batch)
        sender = self._senders.get(tp)
        if sender is None or sender.done():
            self._senders[tp] = asyncio.create_task(self._send(tp))
        return batch

    def waiting(self, tp: TopicPartition) -> int:
        return len(self._queued.get(tp, ()))

    def last(self, tp: TopicPartition) -> Batch | None:
        queued = self._queued.get(tp)
        return queued[-1] if queued else None

    def clear(self) -> None:
        for queued in self._queued.values():
            queued.clear()

    async def close(self) -> None:
        self.producer.closed = True
        for sender in list(self._senders.values()):
            sender.cancel()

    async def _send(self, tp: TopicPartition) -> None:
        queued, loop, kafka = self._queued[tp], asyncio.get_running_loop(), self.producer.kafka
        while queued:
            batch, began = queued.popleft(), loop.time()
            self._numbers[tp] = number = self._numbers.get(tp, -1) + 1
            while not batch.future.done():
                try:
                    at = await self._written(tp, batch, number)
                    if kafka.given_up and kafka.network.happens(kafka.given_up):
                        batch.given_up()
                    else:
                        batch.written(at)
                except KafkaError:
                    if loop.time() - began > GIVE_UP_SECONDS:
                        batch.given_up()
                    await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.sleep(0)  # Whoever waits for the batch says first whether the next one may go.

    async def _written(self, tp: TopicPartition, batch: Batch, number: int) -> int:
        log, records = self.producer.kafka.log, list(batch.builder.records)
        return await self.producer.kafka.ask(
            lambda: log.append(tp.topic, tp.partition, records, self.producer.id, number)
        )
