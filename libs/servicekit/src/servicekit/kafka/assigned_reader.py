"""Reads one partition without a group, for ever: from its start or from its end, through outages and a recreated topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import Literal

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnknownTopicOrPartitionError

from servicekit.boot_clock import boot_seconds
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import consumers, missing_topics
from servicekit.kafka.records import Record
from servicekit.kafka.undisturbed import is_being_cancelled, undisturbed

CHECK_SECONDS = 5.0
ASK_SECONDS = 30.0
"""So often Kafka is asked for the log's bounds although fetches say where it ends: they may be answered wrongly."""
STUCK_SECONDS = 15.0

log = structlog.get_logger()


class Rebuild(Exception):
    """What was read is not to be trusted any more: begin anew at the log's start."""


class AssignedReader:
    """`receive` is called with the records of each fetch, `restart` before reading from the start once more.

    `moved` is called after each step. `position` is the next offset; `behind_since` a monotonic time, None while
    everything is read that the log held at the last look. After more than `trusted_seconds` without having been at the
    log's end it begins anew at the start: of a compacted topic deletions may be gone that it has not read.
    """

    def __init__(
        self,
        cluster: Cluster,
        topic: str,
        *,
        client_id: str,
        begin: Literal["start", "end"],
        receive: Callable[[list[Record]], None],
        restart: Callable[[], None] = lambda: None,
        moved: Callable[[], None] = lambda: None,
        trusted_seconds: float = inf,
    ) -> None:
        self._cluster, self._topic, self._client_id, self._begin = cluster, topic, client_id, begin
        self._receive, self._restart, self._on_moved = receive, restart, moved
        self._consumer: AIOKafkaConsumer | None = None
        self._moved = asyncio.Condition()
        self._goal = 0
        self.partition = 0
        self.position: int | None = None
        self.incarnation: str | None = None
        """The id of the topic that is read, None while it is not known."""
        self.behind_since: float | None = time.monotonic()
        self._trusted_seconds, self._whole_at = trusted_seconds, boot_seconds()

    async def run(self) -> None:
        """Read for ever. Only ends by being cancelled."""
        pause = 0.1
        while True:
            started = time.monotonic()
            try:
                await self._session()
            except Rebuild as reason:
                log.warning("reader.rebuilds", topic=self._topic, reason=str(reason))
                self.position, self._whole_at = None, boot_seconds()
                self._restart()
            except (KafkaError, OSError) as error:
                log.warning("reader.reconnects", topic=self._topic, error=f"{type(error).__name__}: {error}")
            except asyncio.CancelledError:
                if is_being_cancelled():
                    raise
                log.warning("reader.reconnects", topic=self._topic, error="cancelled from inside")
            except Exception:
                # Nobody awaits this task: whatever it is must not end it in silence.
                log.exception("reader.failed", topic=self._topic)
            pause = 0.1 if time.monotonic() - started > 10 else min(pause * 2, 2.0)
            await asyncio.sleep(pause)

    @property
    def cut_off(self) -> bool:
        """Whether what was read is too old to be trusted."""
        return self.position is not None and boot_seconds() - self._whole_at > self._trusted_seconds

    async def end(self, timeout: float) -> int:
        """The log's end as of now, with what was written in a transaction whose commit the broker still notes.

        Raises KafkaError when there is no connection, TimeoutError.
        """
        if self._consumer is None:
            raise KafkaError("not connected")
        return await undisturbed(consumers.end_of_log(self._consumer, self._read_partition), timeout)

    async def now(self, timeout: float) -> tuple[int, str | None]:
        """The log's end and its topic's id as of now. Raises as `end` does."""
        end = await self.end(timeout)
        return end, None if self._consumer is None else await self._topic_id(self._consumer)

    async def reached(self, position: int, timeout: float) -> bool:
        """Wait until everything below `position` has been received; False when that took too long."""
        if self.position is not None and self.position >= position:
            return True
        try:
            async with asyncio.timeout(timeout), self._moved:
                await self._moved.wait_for(lambda: self.position is not None and self.position >= position)
        except TimeoutError:
            return False
        return True

    def missing(self) -> str | None:
        """For readiness: that the topic does not exist, in a sentence; None when it may."""
        return missing_topics.problem(self._cluster.named(self._topic))

    @property
    def _read_partition(self) -> TopicPartition:
        return TopicPartition(self._cluster.named(self._topic), self.partition)

    async def choose_partition(self, consumer: AIOKafkaConsumer) -> int:
        """Which partition to read; a subclass may ask how many there are."""
        return self.partition

    async def _session(self) -> None:
        consumer = make_consumer(self._cluster, client_id=self._client_id, read_committed=True, one_partition=True)
        try:
            await undisturbed(consumer.start(), 30)
            self.partition = await undisturbed(self.choose_partition(consumer), 30)
            tp = self._read_partition
            consumer.assign([tp])
            await self._seek(consumer, tp)
            self._consumer = consumer
            await self._read(consumer, tp)
        finally:
            self._consumer = None
            try:
                await undisturbed(consumer.stop(), 5)
            except (KafkaError, TimeoutError) as error:
                log.info("reader.close_failed", error=type(error).__name__)

    async def _seek(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        """Go on where we were, if the log still has it; else begin."""
        await self._identify(consumer)
        start, end = await _bounds(consumer, tp)
        if self.position is not None and not start <= self.position <= end:
            if self._begin == "start":
                raise Rebuild(f"position {self.position} is outside of {start}..{end}")
            self.position = None
        if self.position is None:
            self.position = start if self._begin == "start" else end
        consumer.seek(tp, self.position)
        self._look(end)
        await self._move(self.position)

    async def _topic_id(self, consumer: AIOKafkaConsumer) -> str | None:
        name = self._cluster.named(self._topic)
        return (await undisturbed(consumers.topic_state(consumer, name), 20)).incarnation

    async def _identify(self, consumer: AIOKafkaConsumer) -> None:
        """Note which topic it is. One that was made anew is begun anew, however long its log is by now."""
        try:
            found = await self._topic_id(consumer)
        except UnknownTopicOrPartitionError:
            return
        known, self.incarnation = self.incarnation, found or self.incarnation
        if known is None or found in (None, known) or self.position is None:
            return
        if self._begin == "start":
            raise Rebuild("the topic was made anew")
        self.position = None
        raise KafkaError("the topic was made anew")

    async def _read(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        checked = asked = time.monotonic()
        while True:
            if consumers.fetcher_ended(consumer):
                raise KafkaError("the fetcher ended")
            rest = max(0.0, checked + CHECK_SECONDS - time.monotonic())
            try:
                fetched = await consumer.getmany(timeout_ms=int(rest * 1000) + 1)
            except OffsetOutOfRangeError as error:
                if self._begin == "start":
                    raise Rebuild("the position is outside of the log") from error
                self.position = None
                raise
            records: list[Record] = fetched.get(tp, [])
            if records:
                self._receive(records)
            position = await consumer.position(tp)
            if position != self.position:
                await self._move(position)
            if time.monotonic() - checked > CHECK_SECONDS:
                checked = time.monotonic()
                await self._identify(consumer)
                behind = self.behind_since is not None  # What fetches say of the end does not bring it there.
                if behind or checked - asked > ASK_SECONDS or not self._at_end_seen(consumer, tp):
                    asked = checked
                    await self._check(consumer, tp)

    def _at_end_seen(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> bool:
        """Whether all is read by what the last fetch was told, since the last check: nothing that is not there can be fetched."""
        end = consumer.end_seen(tp, CHECK_SECONDS + 1)
        if end is None or end != self.position:
            return False
        self._look(end)
        return True

    async def _check(self, consumer: AIOKafkaConsumer, tp: TopicPartition) -> None:
        """Compare the position with the log. A reader that makes no progress is replaced."""
        start, end = await _bounds(consumer, tp)
        position = self.position or 0
        if self._begin == "start" and (position > end or (position < start and start > 0)):
            raise Rebuild(f"position {position} is outside of {start}..{end}")
        self._look(end)
        if self.behind_since is not None and time.monotonic() - self.behind_since > STUCK_SECONDS:
            raise KafkaError(f"standing at {position} of {end}")

    async def _move(self, position: int) -> None:
        self.position = position
        if position >= self._goal:
            self._is_whole()
        self._on_moved()
        async with self._moved:
            self._moved.notify_all()

    def _is_whole(self) -> None:
        if self.cut_off:
            raise Rebuild("it was cut off for longer than deletions stay in the topic for sure")
        self.behind_since, self._whole_at = None, boot_seconds()

    def _look(self, end: int) -> None:
        """Note where the log ends now, and since when we are not there."""
        self._goal = end
        if self.position is not None and self.position >= end:
            self._is_whole()
        elif self.behind_since is None:
            self.behind_since = time.monotonic()


async def _bounds(consumer: AIOKafkaConsumer, tp: TopicPartition) -> tuple[int, int]:
    start = await undisturbed(consumer.beginning_offsets([tp]), 20)
    end = await undisturbed(consumer.end_offsets([tp]), 20)
    return start[tp], end[tp]
