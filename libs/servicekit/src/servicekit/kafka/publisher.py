"""Writing to Kafka: idempotent, acknowledged by all replicas, in order per partition, and never with a gap.

aiokafka's idempotent producer retries for ever and keeps order, but once it gives a batch up (refused, or no leader for
too long) it goes on with the next one. A gap that is filled later would be taken for a repeat by whoever reads
(guarantees.md 2.5), so here the first failure ends the producer: nothing of its queue is sent any more, all who wait on it get
NotAcknowledged, and a fresh one takes over.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any, Protocol

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from contracts.partitioner import murmur2
from contracts.project_topics import label_of
from contracts.topic import DLQ_RECORD_LIMIT, RECORD_LIMIT
from servicekit.kafka.clients import make_producer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import missing_topics
from servicekit.kafka.inside_aiokafka.incarnations import state_of
from servicekit.kafka.inside_aiokafka.send_queue import BatchBuilder, MessageBatch, SendQueue, waiters
from servicekit.kafka.records import Outgoing, size_of
from servicekit.kafka.refused_writes import REFUSED
from servicekit.kafka.undisturbed import undisturbed
from servicekit.observability.metrics import counter

BATCH_BYTES = 1024 * 1024
LOOK_SECONDS = 5.0
WATCH_SECONDS = 0.25
"""Between two looks, while something is unacknowledged, at whether that takes too long."""
QUEUED_BATCHES = 64
"""Batches of one partition that may wait; more than that are refused, so that an outage does not fill the memory."""
_positive_hash = lru_cache(maxsize=16_384)(lambda key: murmur2(key) & 0x7FFFFFFF)

log = structlog.get_logger()


class NotAcknowledged(Exception):
    """Kafka did not confirm the records in time, or refused them. They may or may not be in the log."""


class TooLarge(ValueError):
    """The record is larger than Kafka takes (contracts.topic); it was not sent."""


def check_sizes(records: Iterable[Outgoing]) -> None:
    """Raises TooLarge for the first record above its topic's limit."""
    for record in records:
        _check(record.topic, size_of(record))


@cache
def _published(topic: str) -> Any:
    return counter("switchhook_published_total").labels(topic)


def _check(topic: str, size: int) -> None:
    limit = DLQ_RECORD_LIMIT if topic.endswith(".dlq.v1") else RECORD_LIMIT
    if size > limit:
        raise TooLarge(f"a record for {topic} has {size} bytes, {limit} are allowed")


class Publisher(Protocol):
    """What services write through."""

    async def publish(self, record: Outgoing) -> int:
        """Write one record; its offset once all replicas have it. Raises NotAcknowledged, TooLarge."""
        ...

    async def publish_many(self, records: Sequence[Outgoing]) -> None:
        """Write records, in order within each partition. Raises NotAcknowledged when any of them failed; TooLarge before
        anything is written."""
        ...


class _Link:
    """One producer, from its start to its first failure."""

    def __init__(self, producer: AIOKafkaProducer, cluster: Cluster) -> None:
        self.producer, self.queue, self._cluster = producer, SendQueue(producer), cluster
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.open: dict[MessageBatch, float] = {}
        """Unacknowledged batches, the oldest first, and since when."""
        self.partition: Callable[[str, int], TopicPartition] = lru_cache(maxsize=4_096)(
            lambda topic, number: TopicPartition(cluster.named(topic), number)
        )
        """A partition of a topic as it is called on the cluster."""
        self.used = asyncio.Event()
        """Set by each batch that is put in, and by the failure."""
        self.failed.add_done_callback(lambda _: self.used.set())

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has, 0 when that is not known yet."""
        return self.queue.partitions(self._cluster.named(topic))

    def add(self, tp: TopicPartition, builder: BatchBuilder) -> MessageBatch:
        """Put a batch behind all that wait for that partition."""
        batch = self.queue.append(builder, tp)
        self.open[batch] = time.monotonic()
        self.used.set()
        batch.future.add_done_callback(lambda future: self._settled(batch, builder.size(), future))
        return batch

    def _settled(self, batch: MessageBatch, size: int, future: asyncio.Future[Any]) -> None:
        self.open.pop(batch, None)
        topic = label_of(self._cluster.own_name(batch.tp.topic))
        if _acknowledged(future):
            _published(topic).inc(batch.record_count)
            REFUSED.taken(batch.tp.topic, size)
        else:
            counter("switchhook_publish_failures_total").labels(topic).inc(batch.record_count)
            REFUSED.failed(batch.tp.topic, None if future.cancelled() else future.exception(), size)
            # The sender takes up its next batch only after this callback, and must find nothing.
            self.fail("a batch was given up" if future.cancelled() else repr(future.exception()))

    def fail(self, reason: str) -> None:
        """Send nothing more; everybody who waits gets NotAcknowledged."""
        if self.failed.done():
            return
        self.failed.set_result(reason)
        self.queue.clear()
        for batch in self.open:
            for future in waiters(batch):
                _refuse(future, reason)
        self.open.clear()


class KafkaPublisher:
    """`Publisher` on aiokafka. `start` does not wait for a broker; until there is one, publishing raises NotAcknowledged.

    `timeout`: seconds until `publish` gives up on one record. `give_up`: seconds until the oldest unacknowledged
    batch makes it start over with a fresh producer. `rarely`: topics to which it seldom writes; that one of them does not
    exist is known within LOOK_SECONDS (missing_topics.problem), and not only at the first record.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        client_id: str,
        timeout: float = 5.0,
        give_up: float = 30.0,
        rarely: Iterable[str] = (),
    ) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._timeout, self._give_up = timeout, give_up
        self._rarely = [cluster.named(topic) for topic in rarely]
        self._link: _Link | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._linked = asyncio.Event()
        self._single: deque[tuple[float, asyncio.Future[Any]]] = deque()
        self._turn = 0

    @property
    def connected(self) -> bool:
        """Whether there is a producer that has not failed."""
        return self._link is not None and not self._link.failed.done()

    async def start(self) -> None:
        """Begin to connect, in the background and for ever."""
        self._tasks.append(asyncio.create_task(self._keep(), name="publisher"))
        if self._rarely:
            self._tasks.append(asyncio.create_task(self._look(), name="publisher's rare topics"))

    async def stop(self, drain: float = 5.0) -> None:
        """Wait up to `drain` seconds for what is unacknowledged, then close."""
        if (link := self._link) is not None and link.open:
            await asyncio.wait([batch.future for batch in link.open], timeout=drain)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def know(self, topics: Iterable[str]) -> None:
        """Make sure that these topics' partitions are known. Raises NotAcknowledged when that takes too long."""
        for topic in topics:
            if self._link is None or not self._link.partitions(topic):
                await self.partitions_for(topic)

    def count(self, topic: str) -> int:
        """How many partitions the topic has, 0 when that is not known (see `know`)."""
        return self._link.partitions(topic) if self._link is not None else 0

    async def partitions_for(self, topic: str) -> int:
        """How many partitions the topic has. Raises NotAcknowledged when Kafka does not say within the time-out."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._linked.wait()
            asked = self._live().producer.partitions_for(self._cluster.named(topic))
            return len(await undisturbed(asked, self._timeout))
        except (KafkaError, TimeoutError) as error:
            raise NotAcknowledged(f"no word about topic {topic}: {type(error).__name__}") from error

    async def is_missing(self, topic: str) -> bool:
        """Whether Kafka says that there is no such topic. Raises NotAcknowledged when it says nothing."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._linked.wait()
            await undisturbed(state_of(self._live().producer.client, self._cluster.named(topic)), self._timeout)
        except UnknownTopicOrPartitionError:
            return True
        except (KafkaError, TimeoutError) as error:
            raise NotAcknowledged(f"no word about topic {topic}: {type(error).__name__}") from error
        return False

    async def publish(self, record: Outgoing) -> int:
        """Write one record; its offset once acknowledged. Raises NotAcknowledged after the time-out, TooLarge at once."""
        _check(record.topic, size_of(record))
        count = self.count(record.topic)
        if not count:
            await self.partitions_for(record.topic)
            count = self._known(self._live(), record.topic)
        future = self._append(self._live(), record, count)
        self._single.append((time.monotonic() + self._timeout, future))
        try:
            return int((await future).offset)
        except KafkaError as error:
            raise NotAcknowledged(f"{type(error).__name__}: {error}") from error

    async def publish_many(self, records: Sequence[Outgoing]) -> None:
        """Write records, in order within each partition; returns when all are acknowledged.

        Raises NotAcknowledged, and TooLarge before anything is written.
        """
        await self.know({record.topic for record in records})
        await self.enqueue(records)

    def enqueue(self, records: Sequence[Outgoing]) -> asyncio.Future[None]:
        """Put records in the queue now, behind all that is there; done when all are acknowledged.

        Raises NotAcknowledged when there is no producer or a topic is not known (see `know`); TooLarge. Nothing is in the
        queue then.
        """
        link = self._live()
        futures = [link.add(tp, builder).future for tp, builder in self._built(link, records)]
        return _all_acknowledged(link, futures)

    def _built(self, link: _Link, records: Sequence[Outgoing]) -> list[tuple[TopicPartition, BatchBuilder]]:
        """Record batches, in order within each partition. Raises TooLarge: a record above BATCH_BYTES is a batch by itself."""
        made: list[tuple[TopicPartition, BatchBuilder]] = []
        current: dict[tuple[str, int], BatchBuilder] = {}
        counts: dict[str, int] = {}
        for record in records:
            partition = record.partition
            if partition is None:
                count = counts.get(record.topic) or counts.setdefault(record.topic, self._known(link, record.topic))
                partition = self._choose(record.key, count)
            builder = current.get((record.topic, partition))
            if builder is None or not _appended(builder, record):
                builder = link.queue.new_batch()
                _appended(builder, record)
                current[record.topic, partition] = builder
                made.append((link.partition(record.topic, partition), builder))
        for tp, builder in made:
            builder.close()  # Nobody else appends to it.
            _check(tp.topic, builder.size())
        return made

    def _append(self, link: _Link, record: Outgoing, count: int) -> asyncio.Future[Any]:
        number = self._choose(record.key, count) if record.partition is None else record.partition
        tp = link.partition(record.topic, number)
        batch = link.queue.last(tp) or link.add(tp, link.queue.new_batch())
        future: asyncio.Future[Any] | None = batch.append(record.key, record.value, None, headers=record.headers)
        if future is None:
            if link.queue.waiting(tp) >= QUEUED_BATCHES:
                raise NotAcknowledged(f"{QUEUED_BATCHES} batches are waiting for Kafka")
            batch = link.add(tp, link.queue.new_batch())
            future = batch.append(record.key, record.value, None, headers=record.headers)
        assert future is not None, "an empty batch takes a record of any size"
        return future

    def _known(self, link: _Link, topic: str) -> int:
        count = link.partitions(topic)
        if not count:
            raise NotAcknowledged(f"topic {topic} is not known")
        return count

    def _choose(self, key: bytes | None, count: int) -> int:
        """The key's partition; without a key each in turn."""
        if key is None:
            self._turn += 1
            return self._turn % count
        return int(_positive_hash(key) % count)

    def _live(self) -> _Link:
        if self._link is None or self._link.failed.done():  # It sends nothing more, and is about to be replaced.
            raise NotAcknowledged("Kafka is not reachable")
        return self._link

    async def _keep(self) -> None:
        """Hold a live producer for ever: connect, watch, replace."""
        while True:
            link = await self._connect()
            self._link = link
            self._linked.set()
            try:
                await self._watch(link)
            finally:
                self._link = None
                self._linked.clear()
                link.fail("the publisher was stopped")
                with contextlib.suppress(KafkaError, OSError):
                    await link.queue.close()
            log.warning("publisher.replaced", client_id=self._client_id)

    async def _look(self) -> None:
        """For ever: whether the topics exist to which it seldom writes."""
        while True:
            if self._link is not None:
                await missing_topics.look(self._link.producer.client, self._rarely)
            await asyncio.sleep(LOOK_SECONDS)

    async def _connect(self) -> _Link:
        pause = 0.1
        while True:
            producer = make_producer(
                self._cluster,
                client_id=self._client_id,
                max_batch_size=BATCH_BYTES,
                max_request_size=DLQ_RECORD_LIMIT,
                request_timeout_ms=15_000,
                retry_backoff_ms=50,
                metadata_max_age_ms=60_000,
            )
            try:
                await producer.start()
                return _Link(producer, self._cluster)
            except Exception as error:
                if isinstance(error, (KafkaError, OSError)):
                    log.info("publisher.no_broker", error=type(error).__name__)
                else:  # Nobody awaits this task: whatever it is must not end it in silence.
                    log.exception("publisher.failed", client_id=self._client_id)
                await SendQueue(producer).close()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
            except asyncio.CancelledError:
                await SendQueue(producer).close()
                raise

    async def _watch(self, link: _Link) -> None:
        """Returns when the link failed. Until then lets single records time out, and ends a link that stands still."""
        while not link.failed.done():
            if not (link.open or self._single):
                link.used.clear()
                await link.used.wait()
            await asyncio.wait([link.failed], timeout=WATCH_SECONDS)
            now = time.monotonic()
            while self._single and (self._single[0][1].done() or self._single[0][0] <= now):
                _, future = self._single.popleft()
                if not future.done():
                    _refuse(future, f"no acknowledgement within {self._timeout:g} s")
            if now - next(iter(link.open.values()), now) > self._give_up:
                link.fail(f"no acknowledgement within {self._give_up:g} s")


def _appended(builder: BatchBuilder, record: Outgoing) -> bool:
    added = builder.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return added is not None


def _acknowledged(future: asyncio.Future[Any]) -> bool:
    return not future.cancelled() and future.exception() is None


def _refuse(future: asyncio.Future[Any], reason: str) -> None:
    if not future.done():
        future.set_exception(NotAcknowledged(reason))
        future.exception()  # Who waits sees it; nobody has to wait.


def _all_acknowledged(link: _Link, futures: list[Any]) -> asyncio.Future[None]:
    """Done when all these batches are acknowledged, refused when the link fails before."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    left = len(futures)
    if not left:
        done.set_result(None)
        return done

    def settled(future: asyncio.Future[Any]) -> None:
        nonlocal left
        left -= _acknowledged(future)
        if not left and not done.done():
            done.set_result(None)

    def failed(reason: asyncio.Future[str]) -> None:
        _refuse(done, reason.result())

    for future in futures:
        future.add_done_callback(settled)
    link.failed.add_done_callback(failed)
    done.add_done_callback(lambda _: link.failed.remove_done_callback(failed))
    return done
