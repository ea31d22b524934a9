"""A database that was restored from a backup: nothing is done twice until an operator says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import orjson
import pytest

from operations import restores
from servicekit.checkpoints import fence
from servicekit.checkpoints.age import Behind
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.committed import Committed, read_committed
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing
from servicekit.loop.partition_loop import Fatal
from support.ledger import Ledger, make_loop, produce, running, turns
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
TABLES = ("checkpoint", "outbox", "total")


async def back_up(pool: Pool) -> None:
    for table in TABLES:
        await pool.execute(f"CREATE TABLE backup_{table} AS SELECT * FROM {table}")


async def restore(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        for table in TABLES:
            await connection.execute(f"TRUNCATE {table}")
            await connection.execute(f"INSERT INTO {table} SELECT * FROM backup_{table}")


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops of these tests are in groups that are named like their topic."""
    monkeypatch.setattr(restores, "GROUPS", {"flow-engine": {"in": "in"}})


async def applied(pool: Pool, count: int) -> None:
    async def has() -> bool:
        return await turns(pool) == count

    await eventually(has, seconds=20)


async def older_database(kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic) -> str:
    """Seventy records are applied, and the database has forty of them. The topic's name."""
    there, _ = await make_topic("in"), await make_topic("out")
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await produce(kafka, there, [("k", 1)] * 40)
        await applied(pool, 40)
    await back_up(pool)
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await produce(kafka, there, [("k", 1)] * 30)
        await applied(pool, 70)
    await restore(pool)
    return there


@pytest.mark.parametrize(("choice", "then"), [("again", 75), ("skip", 45)])
@pytest.mark.seconds(60)
async def test_nothing_is_applied_again_until_an_operator_says_so(
    kafka: str, cluster: Cluster, database: str, pool: Pool, make_topic: MakeTopic, choice: restores.Choice, then: int
) -> None:
    there = await older_database(kafka, cluster, pool, make_topic)
    loop = make_loop(Ledger("in", "out", pool), cluster)
    async with running(loop):
        await produce(kafka, there, [("k", 1)] * 5)
        problem = await eventually(loop.problem)
        assert "30 records would be applied again (in/0 at 40, was at 70)" in problem
        assert "switchhook-ops checkpoints accept-restore flow-engine" in problem
        assert await restores.report(cluster, "flow-engine", database, {}) == [
            "in: 30 offsets since the backup, with 30 unknown",
            "  partition 0 stands at 40 and was at 70",
        ]
        assert await turns(pool) == 40
        await restores.accept(cluster, "flow-engine", database, choice, {})
        await applied(pool, then)
        assert loop.problem() is None
    assert await restores.report(cluster, "flow-engine", database, {}) == []


async def test_a_repair_after_a_restore_is_another_incarnation_than_all_before_it(database: str, pool: Pool) -> None:
    """The backup's epoch may be lower than the number that Kafka has heard of."""
    async with pool.acquire() as connection:
        await fence.create(connection, "in", 0, uuid4(), start=40, partitions=1, incarnation="id")
    older = restores.Older("in", "in", [Behind(0, 40, 70)], {0: Committed(70, "id~9", 0)})
    await restores._anew("flow-engine", database, older)
    row = await pool.fetchrow("SELECT epoch, incarnation FROM checkpoint")
    assert row is not None
    assert (row["incarnation"], row["epoch"]) == ("id~10", 11)


@pytest.mark.parametrize("noted", [True, False])
async def test_what_is_noted_by_its_id_leaves_no_marks(
    cluster: Cluster,
    database: str,
    pool: Pool,
    make_topic: MakeTopic,
    publisher: KafkaPublisher,
    monkeypatch: pytest.MonkeyPatch,
    noted: bool,
) -> None:
    """What was deferred when the service stopped, and was never said, may come with an older source than these."""
    monkeypatch.setattr(restores, "BY_ID", {"in"} if noted else set())
    source = [("src-topic", b"from"), ("src-partition", b"2"), ("src-offset", b"6"), ("src-index", b"0")]
    await publisher.publish(Outgoing(await make_topic("in"), b"k", b"{}", list(source)))
    older = restores.Older("in", "in", [Behind(0, 0, 1)], {0: Committed(1, None, 0)})
    await restores.skip(cluster, "flow-engine", database, older)
    row = await pool.fetchrow("SELECT next_offset, seen FROM checkpoint")
    assert row is not None
    assert (row["next_offset"], orjson.loads(row["seen"])) == (1, {} if noted else {"from/2": [6, 0]})


@pytest.mark.seconds(40)
async def test_a_database_that_is_set_back_under_a_running_loop_ends_it(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic
) -> None:
    there, _ = await make_topic("in"), await make_topic("out")
    work = asyncio.create_task(make_loop(Ledger("in", "out", pool), cluster).run())
    await produce(kafka, there, [("k", 1)] * 4)
    await applied(pool, 4)
    await back_up(pool)
    await produce(kafka, there, [("k", 1)] * 3)
    await applied(pool, 7)

    async def told() -> bool:
        said = await read_committed(cluster, "in", "in")
        return 0 in said and said[0].offset == 7

    await eventually(told)
    await restore(pool)
    with pytest.raises(Fatal, match="in/0 at 4, was at 7"):
        await work


@pytest.mark.seconds(40)
async def test_a_database_that_knows_nothing_is_older_than_what_was_done(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic
) -> None:
    await older_database(kafka, cluster, pool, make_topic)
    await pool.execute("TRUNCATE checkpoint, outbox, total")
    loop = make_loop(Ledger("in", "out", pool), cluster)
    async with running(loop):
        problem = await eventually(loop.problem)
        assert "70 records would be applied again (in/0 at 0, was at 70)" in problem
