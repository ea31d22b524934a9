"""A small service on the partition loop: it sums up amounts per key and says each new total on another topic."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Protocol

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.structs import OffsetAndMetadata

from contracts import cloudevents, dlq
from servicekit.checkpoints.tables import INCARNATION, LOOP_TABLES
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.partition_loop import Batch, Commit, Connection, DeadRecord, Handler, PartitionLoop
from support.stack import SESSION_SECONDS
from support.tail import Tail

TABLES = (
    LOOP_TABLES
    + INCARNATION
    + ";"
    + "CREATE TABLE total (key text PRIMARY KEY, amount bigint NOT NULL, turns bigint NOT NULL);"
)
SAVE = """
INSERT INTO total (key, amount, turns) SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
ON CONFLICT (key) DO UPDATE SET amount = EXCLUDED.amount, turns = EXCLUDED.turns
"""


class Ledger:
    """A handler. `out` is where totals are said; `bugs` maps a value to the exception that it causes."""

    def __init__(self, topic: str, out: str, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.topic, self.out, self.pool = topic, out, pool
        self.bugs: dict[bytes, Exception] = {}
        self.sizes: list[int] = []
        self.parked: list[bytes | None] = []
        self.assigned: list[int] = []
        self.revoked: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def apply(self, batch: Batch) -> Commit:
        self.sizes.append(len(batch.records))
        await self.gate.wait()
        good, dead = sort_out(batch.records)
        for record, _ in good:
            if record.value in self.bugs:
                raise self.bugs[record.value or b""]
        totals = await self._load({record.key for record, _ in good if record.key})
        outgoing = []
        for record, amount in good:
            key = (record.key or b"").decode()
            before, turns = totals.get(key, (0, 0))
            totals[key] = (before + amount, turns + 1)
            outgoing.append((record, [said(self.out, record, totals[key])]))

        async def save(connection: Connection) -> None:
            keys = sorted(totals)
            await connection.execute(SAVE, keys, [totals[key][0] for key in keys], [totals[key][1] for key in keys])

        return Commit(save=save, outgoing=outgoing, dead=dead)

    async def _load(self, keys: set[bytes]) -> dict[str, tuple[int, int]]:
        wanted = [key.decode() for key in keys]
        rows = await self.pool.fetch("SELECT key, amount, turns FROM total WHERE key = ANY ($1)", wanted)
        return {row["key"]: (row["amount"], row["turns"]) for row in rows}

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        self.parked.append(record.value)
        return []

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        self.assigned += partitions

    def on_revoked(self, partitions: set[int]) -> None:
        self.revoked += partitions


def sort_out(records: Sequence[Record]) -> tuple[list[tuple[Record, int]], list[DeadRecord]]:
    """The amounts, and what is none."""
    good, dead = [], []
    for record in records:
        try:
            good.append((record, int(orjson.loads(record.value or b""))))
        except (ValueError, TypeError) as error:
            dead.append(DeadRecord(record, "not-json", str(error)))
    return good, dead


def said(topic: str, record: Record, total: tuple[int, int]) -> Outgoing:
    """A total on its way out."""
    value = orjson.dumps({"total": total[0], "turn": total[1]})
    return Outgoing(
        topic, record.key, value, [("ce_id", f"{record.topic}/{record.partition}/{record.offset}".encode())]
    )


@contextlib.asynccontextmanager
async def ledger_pool(dsn: str, *, tables: bool = True) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """A pool on a test's database, as servicekit.database makes it; with the tables."""
    settings = {"lock_timeout": "2s", "idle_in_transaction_session_timeout": "10s"}
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6, server_settings=settings, command_timeout=20) as pool:
        if tables:
            await pool.execute(TABLES)
        yield pool


class WithPool(Handler, Protocol):
    """A handler that has a pool."""

    pool: asyncpg.Pool[asyncpg.Record]


def make_loop(
    ledger: WithPool,
    kafka: str | Cluster,
    *,
    instance: str = "a",
    session_timeout: float = SESSION_SECONDS,
    **more: Any,
) -> PartitionLoop:
    """A loop of a group that is named like its topic."""
    return PartitionLoop(
        ledger,
        cluster=Cluster(kafka) if isinstance(kafka, str) else kafka,
        group=ledger.topic,
        service="flow-engine",
        instance=instance,
        pool=ledger.pool,
        session_timeout=session_timeout,
        **more,
    )


async def turns(pool: asyncpg.Pool[asyncpg.Record]) -> int:
    """How many records have been applied, by what was saved."""
    return int(await pool.fetchval("SELECT coalesce(sum(turns), 0) FROM total"))


async def rows(pool: asyncpg.Pool[asyncpg.Record]) -> int:
    """How many outbox rows there are."""
    return int(await pool.fetchval("SELECT count(*) FROM outbox"))


def without_repeats(records: Sequence[Record]) -> list[Record]:
    """What a consumer that drops repeats keeps: per partition and source, what is higher than all before (guarantees.md 2.5)."""
    highest: dict[tuple[int, bytes, bytes], int] = {}
    kept = []
    for record in records:
        headers = dict(record.headers)
        source = (
            record.partition,
            headers[cloudevents.SOURCE_TOPIC] or b"",
            headers[cloudevents.SOURCE_PARTITION] or b"",
        )
        offset = int(headers[cloudevents.SOURCE_OFFSET] or b"")
        if offset > highest.get(source, -1):
            highest[source] = offset
            kept.append(record)
    return kept


@contextlib.asynccontextmanager
async def running(loop: PartitionLoop) -> AsyncIterator[asyncio.Task[None]]:
    """The loop at work; its own failure comes out here."""
    task = asyncio.create_task(loop.run())
    try:
        yield task
    finally:
        await loop.close()
        await task


async def produce(
    kafka: str,
    topic: str,
    values: Sequence[tuple[str, Any]],
    *,
    partition: int | None = None,
    headers: Sequence[tuple[str, bytes]] = (),
) -> None:
    """Write (key, value) pairs; a value that is not bytes is written as JSON."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, max_request_size=5 << 20)
    await producer.start()
    try:
        sent = []
        for number, (key, value) in enumerate(values):
            data = value if isinstance(value, bytes) else orjson.dumps(value)
            marked = [("ce_id", f"{topic}/{key}/{number}/{id(values)}".encode()), *headers]
            sent.append(await producer.send(topic, data, key.encode(), partition=partition, headers=marked))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


async def read_all(kafka: str, topic: str) -> list[Record]:
    """All records of a topic, partition by partition."""
    async with Tail(kafka, topic) as tail:
        return await tail.records()


async def committed(kafka: str, group: str, topic: str) -> dict[int, int]:
    """What a group has committed in Kafka itself."""
    from aiokafka.admin import AIOKafkaAdminClient

    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        found: dict[TopicPartition, OffsetAndMetadata] = await admin.list_consumer_group_offsets(group)
        return {tp.partition: at.offset for tp, at in found.items() if tp.topic == topic}
    finally:
        await admin.close()


def sources(records: Sequence[Record]) -> list[tuple[int, int]]:
    """(source partition, source offset) of each record."""
    found = []
    for record in records:
        headers = dict(record.headers)
        found.append(
            (int(headers[cloudevents.SOURCE_PARTITION] or b""), int(headers[cloudevents.SOURCE_OFFSET] or b""))
        )
    return found


def dead_topic(service: str) -> str:
    """Where a service's dead letters go."""
    return dlq.topic_for(service).name
