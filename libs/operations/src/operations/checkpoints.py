"""Whether the checkpoints in PostgreSQL still fit the logs in Kafka (guarantees.md 2.9), and going on where they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import TOPICS
from operations.errors import CommandError
from operations.kafka import why
from operations.postgres import asked
from servicekit.checkpoints.fence import topic_of
from servicekit.kafka.clients import admin_of, make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import consumers
from servicekit.kafka.records import Record, record_id

READ_SECONDS = 5.0


@dataclass(frozen=True)
class Checkpoint:
    """Where a service stands in a partition; `last_id` names the record before `next_offset`, if there was one.

    `incarnation`: the id of the topic that it is about, None when a release that knew none wrote it.
    """

    topic: str
    part: int
    next_offset: int
    last_id: str | None
    partitions: int
    incarnation: str | None = None


@dataclass(frozen=True)
class Log:
    """A partition as Kafka has it: its offsets `start` to `end` (not included), how many partitions the topic has (0: there
    is no such topic), and its id."""

    start: int
    end: int
    partitions: int
    incarnation: str | None = None


@dataclass(frozen=True)
class Misfit:
    """A checkpoint that stops its partition until somebody accepts what `reason` says."""

    service: str
    checkpoint: Checkpoint
    reason: str

    @property
    def words(self) -> str:
        """Of the command that accepts the loss, behind its name."""
        at = self.checkpoint
        return f"topics accept-loss {self.service} {at.topic} {at.part}"


def made_anew(at: Checkpoint, log: Log) -> bool:
    """Whether the topic is known to be another one than the checkpoint's."""
    return None not in (at.incarnation, log.incarnation) and topic_of(at.incarnation) != log.incarnation


def range_problem(at: Checkpoint, log: Log) -> str | None:
    """Why a service cannot go on from the checkpoint, as far as ids, offsets and counts tell."""
    unproved = at.next_offset > log.end or at.last_id is None or at.next_offset <= log.start
    if made_anew(at, log) and at.next_offset > 0 and unproved:
        return f"{at.topic}/{at.part}: the topic was made anew since the checkpoint {at.next_offset}"
    if log.partitions != at.partitions:
        return f"{at.topic} has {log.partitions} partitions and had {at.partitions}: the order of its conversations is lost"
    if at.next_offset < log.start:
        lost = log.start - at.next_offset
        return f"{at.topic}/{at.part}: {lost} records were deleted before they were applied"
    if at.next_offset > log.end:
        why = "its end was lost" if at.incarnation and log.incarnation else "it is another log"
        return f"{at.topic}/{at.part}: the log ends at {log.end}, before the checkpoint {at.next_offset}: {why}"
    return None


@dataclass(frozen=True)
class Repair:
    """Where a checkpoint that does not fit goes on, and why there."""

    offset: int
    because: str
    cut_off: bool = False
    """Offsets that were applied are given again: from now on they are another incarnation's."""


def repair(at: Checkpoint, log: Log) -> Repair:
    """Where to go on with the least harm: nothing that was not applied is left out as far as the log has it, and what was
    applied is not applied again where it is known to be the same log."""
    if made_anew(at, log):
        return Repair(log.start, "the start of the topic that was made anew")
    if at.incarnation is None or log.incarnation is None:
        return Repair(log.start, "the start: whether the topic was made anew is not known")
    if at.next_offset < log.start:
        return Repair(log.start, "the start: what was before it is deleted")
    if at.next_offset > log.end:
        return Repair(log.end, "the end of the log that was cut off: the records before it were applied", True)
    return Repair(at.next_offset, "where it stood, in the log that is there now")


async def misfits(cluster: Cluster, dsns: Mapping[str, str]) -> list[Misfit]:
    """All checkpoints that do not fit; `dsns` has the role of each service that keeps checkpoints."""
    found: list[Misfit] = []
    async with open_logs(cluster) as logs:
        for service, dsn in dsns.items():
            for checkpoint in await checkpoints(service, dsn):
                if not logs.counts.get(cluster.named(checkpoint.topic)):
                    continue  # `missing_topics` tells of it.
                reason = await logs.problem(checkpoint)
                if reason is not None:
                    found.append(Misfit(service, checkpoint, reason))
    return found


async def missing_topics(cluster: Cluster) -> list[str]:
    """Those of the topics that contracts describe that are not there, by their names on the cluster."""
    async with open_logs(cluster) as logs:
        wanted = (cluster.named(topic.name) for topic in TOPICS)
        return [name for name in wanted if not logs.counts.get(name)]


async def accept_loss(cluster: Cluster, service: str, dsn: str, topic: str, part: int) -> str:
    """Let the service go on in the log that is there now (`repair` says where); what was done, in a sentence.

    CommandError when the checkpoint fits, so that nothing is lost by a mistyped number. Who holds the partition is fenced off
    by its epoch, recovers and goes on there: the owner stays. Marks that name no incarnation are forgotten, since the
    offsets that they are about may begin again.
    """
    at = next((one for one in await checkpoints(service, dsn) if (one.topic, one.part) == (topic, part)), None)
    if at is None:
        raise CommandError(f"There is no checkpoint of {topic}/{part}: see `doctor`.")
    async with open_logs(cluster) as logs:
        log = await logs.log_of(at)
        if not log.partitions:
            raise CommandError(f"The topic {cluster.named(topic)} does not exist: `topics create` makes it.")
        if await logs.problem(at) is None:
            raise CommandError(f"The checkpoint of {topic}/{part} fits its log: there is no loss to accept.")
        return await _accept(service, dsn, at, log)


async def accept_losses(cluster: Cluster, service: str, dsn: str, topic: str | None = None) -> AsyncGenerator[str]:
    """`accept_loss` for all partitions of a topic, or of all topics, whose checkpoints do not fit; what was done, one by one.

    CommandError when all fit, and before anything is done when a topic does not exist.
    """
    mine = [at for at in await checkpoints(service, dsn) if topic in (None, at.topic)]
    if not mine:
        raise CommandError(f"{service} has no checkpoint{f' of {topic}' if topic else ''}: see `doctor`.")
    done = 0
    async with open_logs(cluster) as logs:
        for name in sorted({cluster.named(at.topic) for at in mine}):
            if not logs.counts.get(name):
                raise CommandError(f"The topic {name} does not exist: `topics create` makes it.")
        for at in mine:
            if await logs.problem(at) is not None:
                yield await _accept(service, dsn, at, await logs.log_of(at))
                done += 1
    if not done:
        raise CommandError(f"Every checkpoint of {service} fits its log: there is no loss to accept.")


async def _accept(service: str, dsn: str, at: Checkpoint, log: Log) -> str:
    """Move one checkpoint to where it goes on."""
    found = repair(at, log)
    async with asked(dsn, service, "did not take where it goes on") as connection:
        await connection.execute(
            ACCEPT, at.topic, at.part, found.offset, log.partitions, log.incarnation, found.cut_off
        )
    return f"{at.topic}/{at.part} goes on at {found.offset} (was {at.next_offset}), {found.because}."


ACCEPT = """
UPDATE checkpoint SET next_offset = $3, partitions = $4, epoch = epoch + 1, last_id = NULL,
    incarnation = CASE WHEN $6::boolean THEN $5::text || '~' || (epoch + 1) ELSE $5 END,
    seen = (SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(seen) WHERE value ->> 2 IS NOT NULL)
WHERE topic = $1 AND part = $2
"""


async def checkpoints(service: str, dsn: str) -> list[Checkpoint]:
    """All checkpoints of a service. CommandError when they cannot be read."""
    async with asked(dsn, service, "did not give its checkpoints") as connection:
        rows = await connection.fetch(
            "SELECT topic, part, next_offset, last_id, partitions, incarnation FROM checkpoint ORDER BY 1, 2"
        )
    return [Checkpoint(**row) for row in rows]


@dataclass(frozen=True)
class Logs:
    """Kafka's side of the comparison; `counts` is topic -> number of partitions, by the name it has there.

    A checkpoint has the topic's name without the prefix.
    """

    cluster: Cluster
    consumer: AIOKafkaConsumer
    counts: Mapping[str, int]

    async def problem(self, at: Checkpoint) -> str | None:
        """Why the service cannot go on from the checkpoint, None when it can."""
        log = await self.log_of(at)
        reason = range_problem(at, log)
        if reason is not None or at.last_id is None or at.next_offset <= log.start:
            return reason
        before = await self._read(at, at.next_offset - 1)
        if before is not None and before.offset == at.next_offset - 1 and record_id(before) != at.last_id:
            return (
                f"{at.topic}/{at.part}: another record lies at {before.offset} than the one that was applied from there"
            )
        return None

    async def log_of(self, at: Checkpoint) -> Log:
        """The log that the checkpoint is about; empty when its partition is not there."""
        partition = self._partition(at)
        count = self.counts.get(partition.topic, 0)
        if at.part >= count:
            return Log(0, 0, count)
        start = await self.consumer.beginning_offsets([partition])
        end = await self.consumer.end_offsets([partition])
        state = await consumers.topic_state(self.consumer, partition.topic)
        return Log(start[partition], end[partition], count, state.incarnation)

    def _partition(self, at: Checkpoint) -> TopicPartition:
        return TopicPartition(self.cluster.named(at.topic), at.part)

    async def _read(self, at: Checkpoint, offset: int) -> Record | None:
        """The first record from `offset` on, None when none comes in time."""
        partition = self._partition(at)
        self.consumer.assign([partition])
        self.consumer.seek(partition, offset)
        try:
            async with asyncio.timeout(READ_SECONDS):
                record: Record = await self.consumer.getone()
                return record
        except TimeoutError:
            return None


@asynccontextmanager
async def open_logs(cluster: Cluster) -> AsyncIterator[Logs]:
    """The logs of a cluster, as long as the block runs. CommandError when Kafka does not answer in it."""
    try:
        async with admin_of(cluster) as admin:
            consumer = make_consumer(cluster, client_id="switchhook-doctor")
            try:
                await consumer.start()
                topics = await admin.describe_topics()
                yield Logs(cluster, consumer, {topic["topic"]: len(topic["partitions"]) for topic in topics})
            finally:
                await consumer.stop()
    except KafkaError as error:
        raise CommandError(f"Kafka at {cluster.servers} did not answer ({why(error)}).") from error
