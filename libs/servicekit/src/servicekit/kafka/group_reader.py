"""Membership in a consumer group, kept up for ever: reads a topic, says what is assigned, and replaces a consumer
that is stuck.

aiokafka has states that it does not leave by itself (a member that never rejoins, a fetcher that stands still after a
broker came back). So a watch compares what should happen with what does, and makes a fresh consumer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    IllegalOperation,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed
from servicekit.kafka.inside_aiokafka import consumers, missing_topics
from servicekit.kafka.inside_aiokafka.incarnations import TopicState
from servicekit.kafka.one_name import NameTaken, OneName
from servicekit.kafka.records import Record
from servicekit.kafka.undisturbed import undisturbed

POLL_MS = 10_000
"""Nothing is looked at between two: `_watch` does that."""
GATHER_SECONDS = 0.016
"""Between an answer with records and the next fetch: ADR-0040 has the curve with and without."""
AT_ONCE = 500
"""Records decoded in one go: it takes 5 ms."""
CHECK_SECONDS = 10.0
ANSWER_SECONDS = 6.0
"""A consumer that cannot say for so long where the log begins and ends, and reads nothing else, is stuck."""
PROGRESS_SECONDS = 20.0
TOPIC_SECONDS = 2.0
"""Between two looks at whether the topic is still the one that is read, and led by the same brokers."""
PAUSE_SECONDS, FENCED_PAUSE_SECONDS = 2.0, 30.0
"""At most between two consumers; while another process has our instance name, between two looks at whether it still has."""
LOST = (KafkaError, IllegalStateError, OSError)

log = structlog.get_logger()


class Bounds(NamedTuple):
    """A log as it is now: offsets `start` to `end` (not included); how many partitions its topic has, and its id."""

    start: int
    end: int
    partitions: int
    incarnation: str | None


class RecordSink(Protocol):
    """Who is told. All calls are synchronous and quick."""

    def take_on(self, partitions: set[int], topic: str) -> None:
        """These, and no others, are this member's now; they are paused."""
        ...

    def let_go(self) -> None:
        """Nothing is assigned any more."""
        ...

    def receive(self, number: int, records: list[Record]) -> int | None:
        """Take records in. Returns the offset to fetch from instead, when these are not the ones that come next."""
        ...

    def out_of_range(self, partitions: set[int]) -> None:
        """Kafka has nothing at the position of these."""
        ...

    def topic_is(self, state: TopicState) -> Mapping[int, int]:
        """What Kafka says of the topic now. Returns partition -> offset, of those to be fetched from there instead."""
        ...

    def has_room(self) -> bool:
        """Whether more records may be fetched now."""
        ...

    def expecting(self) -> Mapping[int, int]:
        """Partition -> the offset that should arrive next, of those that are being read."""
        ...


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Nothing is done here that takes time: aiokafka would go on meanwhile. A consumer that was given up is not heard."""

    def __init__(self, reader: GroupReader, receiver: RecordSink, consumer: AIOKafkaConsumer) -> None:
        self._reader, self._receiver, self._consumer = reader, receiver, consumer

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if self._reader.consumer is self._consumer:
            self._reader.on_revoked(self._receiver)

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        if self._reader.consumer is self._consumer:
            self._reader.on_assigned(self._receiver, self._consumer, assigned)


class Stuck(Exception):
    """The consumer does not do what it should; a new one is made."""


class GroupReader:
    """One member of a group on one topic."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        topic: str,
        group: str,
        instance: str,
        session_timeout: float,
        patience_ms: int = 0,
    ) -> None:
        """`patience_ms`: how long the broker may collect records while they keep coming; the first one comes at once."""
        self._cluster, self._topic, self._group, self._instance = cluster, topic, group, instance
        self._topic_there = cluster.named(topic)
        self._session_timeout, self._patience_ms = session_timeout, patience_ms
        self.consumer: AIOKafkaConsumer | None = None
        """The one at work, None between two."""
        self._silent: AIOKafkaConsumer | None = None
        """The one that did not answer."""
        self._name = OneName(instance)
        self._asked_for_more: AIOKafkaConsumer | None = None
        """The one that had no partition and has joined once more."""
        self._room = asyncio.Event()
        self._unassigned_since: float | None = time.monotonic()
        self._stood_at: dict[int, int] = {}

    async def run(self, receiver: RecordSink) -> None:
        """Read for ever, and tell `receiver`. Only ends by being cancelled."""
        pause = 0.1
        while True:
            started = time.monotonic()
            try:
                await self._session(receiver)
            except (*LOST, Stuck, NameTaken, TimeoutError) as error:
                log.warning("consumer.replaced", topic=self._topic, error=f"{type(error).__name__}: {error}")
            most = FENCED_PAUSE_SECONDS if self._name.is_taken else PAUSE_SECONDS
            pause = 0.1 if time.monotonic() - started > 30 else min(pause * 2, most)
            await asyncio.sleep(pause)

    @property
    def unassigned_seconds(self) -> float:
        """For how long there has been no assignment, 0 while there is one."""
        return 0.0 if self._unassigned_since is None else time.monotonic() - self._unassigned_since

    def wake(self) -> None:
        """There may be room again."""
        self._room.set()

    def seek(self, partition: int, offset: int) -> None:
        """Fetch from there next; does nothing when the partition is gone."""
        self._quietly(lambda consumer, tp: consumer.seek(tp, offset), partition)

    def pause(self, partition: int) -> None:
        """Fetch nothing of it until `resume`."""
        self._quietly(lambda consumer, tp: consumer.pause(tp), partition)

    def resume(self, partition: int) -> None:
        """Fetch it again."""
        self._quietly(lambda consumer, tp: consumer.resume(tp), partition)

    def ends(self) -> dict[int, int]:
        """Partition -> the log's end as the last fetch reported it."""
        if self.consumer is None:
            return {}
        known = {}
        for tp in self.consumer.assignment():
            with contextlib.suppress(IllegalStateError, AssertionError):
                known[tp.partition] = self.consumer.highwater(tp)
        return {partition: end for partition, end in known.items() if end is not None}

    def problem(self) -> str | None:
        """For readiness: that another process has our instance name, or that the topic does not exist, in a sentence."""
        return self._name.problem(self._topic) or missing_topics.problem(self._topic_there)

    async def bounds(self, partition: int) -> Bounds:
        """The log as it is now. Raises KafkaError, TimeoutError.

        A consumer that does not answer and reads no other partition is replaced, and with it the assignment.
        """
        consumer = self.consumer
        if consumer is None:
            raise KafkaError("there is no consumer")
        tp = TopicPartition(self._topic_there, partition)
        try:
            start = (await undisturbed(consumer.beginning_offsets([tp]), ANSWER_SECONDS))[tp]
            end = (await undisturbed(consumer.end_offsets([tp]), ANSWER_SECONDS))[tp]
            # Last: a topic that was made anew meanwhile is then known to be another one.
            state = await undisturbed(consumers.topic_state(consumer, self._topic_there), ANSWER_SECONDS)
        except TimeoutError:
            self._silent = consumer
            raise
        return Bounds(start, end, len(consumer.partitions_for_topic(self._topic_there) or ()), state.incarnation)

    async def commit(self, positions: Mapping[int, Committed]) -> bool:
        """Tell Kafka how far we are, for lag tools and for who comes after a restore; whether it has it now."""
        if self.consumer is None or not positions:
            return not positions
        wanted = {
            TopicPartition(self._topic_there, partition): (at.offset, at.metadata)
            for partition, at in positions.items()
        }
        try:
            await undisturbed(self.consumer.commit(wanted), 2)
        except (*LOST, IllegalOperation, TimeoutError):
            return False
        return True

    def on_revoked(self, receiver: RecordSink) -> None:
        """Called by aiokafka before a rebalance."""
        if self._unassigned_since is None:
            self._unassigned_since = time.monotonic()
        receiver.let_go()

    def on_assigned(self, receiver: RecordSink, consumer: AIOKafkaConsumer, assigned: set[TopicPartition]) -> None:
        """Called by aiokafka after one, before anything is fetched."""
        for tp in assigned:
            consumer.pause(tp)
            consumer.seek(tp, 0)  # A position of its own, or it would ask the group for one.
        self._unassigned_since = None
        self._stood_at = {}
        receiver.take_on({tp.partition for tp in assigned}, self._topic)

    def _quietly(self, act: Callable[[AIOKafkaConsumer, TopicPartition], Any], partition: int) -> None:
        if self.consumer is not None:
            with contextlib.suppress(IllegalStateError, AssertionError):
                act(self.consumer, TopicPartition(self._topic_there, partition))

    async def _session(self, receiver: RecordSink) -> None:
        """One consumer, until it fails. The assignment ends with it."""
        consumer = make_consumer(
            self._cluster,
            client_id=self._instance,
            group=self._group,
            instance=self._instance,
            session_timeout=self._session_timeout,
        )
        try:
            await undisturbed(consumer.start(), 30)
            consumers.gather(consumer, GATHER_SECONDS)
            await self._name.leave_to_another(consumer)
            self.consumer = consumer
            self._unassigned_since = time.monotonic()
            consumer.subscribe([self._topic_there], listener=_Listener(self, receiver, consumer))
            await _first_to_fail(self._pump(receiver, consumer), self._watch(receiver, consumer))
        finally:
            self.consumer = None
            self._name.ended(consumer)
            self.on_revoked(receiver)
            await consumers.close(consumer)

    async def _pump(self, receiver: RecordSink, consumer: AIOKafkaConsumer) -> None:
        wait_ms = POLL_MS
        while True:
            while not receiver.has_room():
                self._room.clear()
                await self._room.wait()
            try:
                fetched = await consumer.getmany(timeout_ms=wait_ms, max_records=AT_ONCE)
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                about = _partitions_of(error)
                for partition in about:
                    self.pause(partition)
                receiver.out_of_range(about)
                continue
            if self._patience_ms:
                # Two fetches that collect and bring nothing are enough to know that no more is coming.
                wait_ms = 2 * self._patience_ms if fetched else POLL_MS
                consumers.collect(consumer, self._patience_ms if fetched else 0)
            for tp, records in fetched.items():
                again = receiver.receive(tp.partition, records)
                if again is not None:
                    self.seek(tp.partition, again)

    async def _watch(self, receiver: RecordSink, consumer: AIOKafkaConsumer) -> None:
        """Raises Stuck for what aiokafka does not notice itself."""
        patience = 2 * self._session_timeout + 10
        checked = looked = time.monotonic()
        while True:
            await asyncio.sleep(1)
            if self.unassigned_seconds > patience:
                raise Stuck(f"no assignment for {self.unassigned_seconds:.0f} s")
            if self._silent is consumer and not receiver.expecting():
                raise Stuck("it does not say where the log begins and ends")
            self._name.check(consumer)
            if consumers.fetcher_ended(consumer):
                raise Stuck("the fetcher ended")
            if time.monotonic() - looked > TOPIC_SECONDS:
                looked = time.monotonic()
                await self._look_at_topic(receiver, consumer)
            if time.monotonic() - checked > CHECK_SECONDS:
                checked = time.monotonic()
                await self._check_progress(receiver, consumer)

    async def _look_at_topic(self, receiver: RecordSink, consumer: AIOKafkaConsumer) -> None:
        """A log may have lost its end with its leader, and a topic may be another one, without any error to a reader."""
        try:
            state = await undisturbed(consumers.topic_state(consumer, self._topic_there), ANSWER_SECONDS)
            known = len(consumer.partitions_for_topic(self._topic_there) or ())
            if state.leader_epochs and len(state.leader_epochs) != known:
                # A topic that was just made, or has grown; the group would hear of it half a minute later.
                await undisturbed(consumers.ask_again(consumer), ANSWER_SECONDS)
        except (*LOST, TimeoutError):
            return
        for partition, offset in receiver.topic_is(state).items():
            self.seek(partition, offset)
        if known:
            self._ask_for_more(consumer)

    def _ask_for_more(self, consumer: AIOKafkaConsumer) -> None:
        """Kafka gives a member that comes back under its name what it had, without dividing the group anew. That was nothing
        where the topic did not exist then. Whoever leads the group and joins again has it divided. Once for each consumer: of
        more replicas than partitions some have nothing, and are right."""
        idle = self._unassigned_since is None and not consumer.assignment()
        if idle and self._asked_for_more is not consumer:
            self._asked_for_more = consumer
            log.info("consumer.joins_again", topic=self._topic)
            consumers.join_again(consumer)

    async def _check_progress(self, receiver: RecordSink, consumer: AIOKafkaConsumer) -> None:
        """A partition whose position did not move between two checks although there is more: the fetcher is stuck."""
        if self._unassigned_since is not None or not receiver.has_room():
            return
        expecting = dict(receiver.expecting())
        still = {partition: at for partition, at in expecting.items() if self._stood_at.get(partition) == at}
        self._stood_at = expecting
        if not still:
            return
        wanted = [TopicPartition(self._topic_there, partition) for partition in still]
        ends = await undisturbed(consumer.end_offsets(wanted), PROGRESS_SECONDS)
        now = receiver.expecting()
        behind = [tp.partition for tp, end in ends.items() if now.get(tp.partition) == still[tp.partition] < end]
        if behind:
            raise Stuck(f"partitions {behind} do not move")


def _partitions_of(error: KafkaError) -> set[int]:
    """The partitions that an offset error is about: a mapping or a partition is its first argument."""
    about = error.args[0]
    return {about.partition} if isinstance(about, TopicPartition) else {tp.partition for tp in about}


async def _first_to_fail(*work: Any) -> None:
    tasks = [asyncio.create_task(part) for part in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task.cancelled():
                raise Stuck("cancelled from inside")
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
