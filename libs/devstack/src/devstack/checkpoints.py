"""Whether the checkpoints in PostgreSQL still fit the logs in Kafka (guarantees.md 2.9), and going on where they do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from devstack.errors import StackError
from servicekit.kafka.clients import admin_of, make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import connections
from servicekit.kafka.records import Record, record_id

READ_SECONDS = 5.0
CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Checkpoint:
    """Where a service stands in a partition; `last_id` names the record before `next_offset`, if there was one."""

    topic: str
    part: int
    next_offset: int
    last_id: str | None
    partitions: int


@dataclass(frozen=True)
class Log:
    """A partition as Kafka has it: its offsets `start` to `end` (not included), and how many partitions the topic has."""

    start: int
    end: int
    partitions: int


@dataclass(frozen=True)
class Misfit:
    """A checkpoint that stops its partition until somebody accepts what `reason` says."""

    service: str
    checkpoint: Checkpoint
    reason: str

    @property
    def command(self) -> str:
        """What accepts the loss."""
        at = self.checkpoint
        return f"./switchhook topics accept-loss {self.service} {at.topic} {at.part}"


def range_problem(at: Checkpoint, log: Log) -> str | None:
    """Why a service cannot go on from the checkpoint, as far as offsets and counts tell."""
    if log.partitions != at.partitions:
        return f"{at.topic} has {log.partitions} partitions and had {at.partitions}: the order of its conversations is lost"
    if at.next_offset < log.start:
        lost = log.start - at.next_offset
        return f"{at.topic}/{at.part}: {lost} records were deleted before they were applied"
    if at.next_offset > log.end:
        return f"{at.topic}/{at.part}: the log ends at {log.end}, before the checkpoint {at.next_offset}: it is another log"
    return None


async def misfits(cluster: Cluster, dsns: Mapping[str, str]) -> list[Misfit]:
    """All checkpoints that do not fit; `dsns` has the role of each service that keeps checkpoints."""
    found: list[Misfit] = []
    async with open_logs(cluster) as logs:
        for service, dsn in dsns.items():
            for checkpoint in await checkpoints(dsn):
                reason = await logs.problem(checkpoint)
                if reason is not None:
                    found.append(Misfit(service, checkpoint, reason))
    return found


async def accept_loss(cluster: Cluster, dsn: str, topic: str, part: int) -> str:
    """Let the service go on at the beginning of the log that is there now; what was done, in a sentence.

    StackError when the checkpoint fits, so that nothing is lost by a mistyped number. Its owner is fenced and recovers;
    what was seen of other logs is forgotten, since their offsets may begin again.
    """
    at = next((one for one in await checkpoints(dsn) if (one.topic, one.part) == (topic, part)), None)
    if at is None:
        raise StackError(f"There is no checkpoint of {topic}/{part}: see `./switchhook doctor`.")
    async with open_logs(cluster) as logs:
        if await logs.problem(at) is None:
            raise StackError(f"The checkpoint of {topic}/{part} fits its log: there is no loss to accept.")
        log = await logs.log_of(at)
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(ACCEPT, topic, part, log.start, log.partitions, uuid4())
    finally:
        await connection.close()
    return f"{topic}/{part} goes on at {log.start} (was {at.next_offset})."


ACCEPT = """
UPDATE checkpoint SET next_offset = $3, partitions = $4, owner = $5, epoch = epoch + 1, last_id = NULL, seen = '{}'
WHERE topic = $1 AND part = $2
"""


async def checkpoints(dsn: str) -> list[Checkpoint]:
    """All checkpoints in the schema that the DSN looks into. StackError when they cannot be read."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            connection = await asyncpg.connect(dsn)
        try:
            rows = await connection.fetch(
                "SELECT topic, part, next_offset, last_id, partitions FROM checkpoint ORDER BY 1, 2"
            )
        finally:
            await connection.close()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(f"PostgreSQL at {place(dsn)} did not give its checkpoints ({said(error)}).") from error
    return [Checkpoint(**row) for row in rows]


def place(dsn: str) -> str:
    """Where a DSN leads and as whom, without the password."""
    parts = urlsplit(dsn)
    return f"{parts.hostname}:{parts.port or 5432} as {parts.username}"


def said(error: BaseException) -> str:
    """The words of an error; its name when it has none, as a time-out."""
    return str(error).strip() or type(error).__name__


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
        return Log(start[partition], end[partition], count)

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
    """The logs of a cluster, as long as the block runs. StackError when Kafka does not answer in it."""
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
        raise StackError(
            f"Kafka at {cluster.servers} did not answer ({connections.refusal() or said(error)})."
        ) from error
