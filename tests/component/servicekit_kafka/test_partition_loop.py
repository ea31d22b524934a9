"""The loop when nothing fails: records are applied once and in order, totals go out, rows go away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest

from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Batch, Commit, Connection
from support.ledger import Ledger, committed, make_loop, produce, read_all, rows, running, sources, turns
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_records_are_applied_once_and_in_order(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in", partitions=3), await make_topic("out", partitions=3)
    ledger = Ledger(topic, out, pool)
    await produce(kafka, topic, [(f"k{n % 10}", 1) for n in range(600)])
    loop = make_loop(ledger, kafka)

    async def all_applied(count: int) -> bool:
        return await turns(pool) == count

    async def told_kafka(count: int) -> bool:
        return sum((await committed(kafka, topic, topic)).values()) == count

    async def no_rows() -> bool:
        return await rows(pool) == 0

    async with running(loop):
        await eventually(lambda: all_applied(600))
        await produce(kafka, topic, [("late", 7)])
        await eventually(lambda: all_applied(601))
        await eventually(no_rows)
        await eventually(lambda: told_kafka(601))
        assert loop.assigned == {0, 1, 2}
        assert loop.problem() is None
        assert set(loop.lag().values()) == {0}
    records = await read_all(kafka, out)
    assert len(records) == 601
    assert all(earlier < later for earlier, later in zip(sources(records), sources(records)[1:], strict=False))
    assert max(ledger.sizes) <= 250


class Slow(Ledger):
    """Its transaction takes 0.02 s for each record, and no statement may take longer than 0.3 s."""

    async def apply(self, batch: Batch) -> Commit:
        commit = await super().apply(batch)
        save = commit.save

        async def slowly(connection: Connection) -> None:
            await connection.execute("SELECT pg_sleep($1)", 0.02 * len(batch.records), timeout=0.3)
            await save(connection)

        commit.save = slowly
        return commit


async def test_a_batch_that_takes_longer_than_a_statement_may_is_applied_in_prefixes(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 40)
    async with running(make_loop(Slow(topic, out, pool), kafka)):
        await eventually(lambda: _has(pool, 40))
    assert len(await read_all(kafka, out)) == 40


async def test_a_second_run_goes_on_where_the_first_one_ended(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    for run in (1, 2):
        await produce(kafka, topic, [("k", run)] * 10)
        async with running(make_loop(Ledger(topic, out, pool), kafka)):
            await eventually(lambda run=run: _has(pool, run * 10))
    assert await pool.fetchval("SELECT amount FROM total") == 30
    assert len(await read_all(kafka, out)) == 20


async def test_a_loop_that_is_cancelled_while_it_stops_gives_its_connection_back(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    loop, stopping = make_loop(Ledger(topic, out, pool), kafka), asyncio.Event()
    task = asyncio.create_task(loop.run())
    await produce(kafka, topic, [("k", 1)])
    await eventually(lambda: _has(pool, 1))

    async def never(offsets: object) -> None:
        stopping.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(loop._reader, "commit", never)
    await loop.close()
    await stopping.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert pool.get_idle_size() == pool.get_size()


async def test_a_batch_may_be_applied_in_part(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in", partitions=2), await make_topic("out")

    class Hurried(Ledger):
        async def apply(self, batch):  # type: ignore[no-untyped-def]
            whole = batch.records
            prefix = whole[: max(1, len(whole) // 3)]
            commit = await super().apply(type(batch)(prefix, batch.epochs))
            commit.applied = len(prefix)
            return commit

    await produce(kafka, topic, [(f"k{n}", 1) for n in range(100)])
    async with running(make_loop(Hurried(topic, out, pool), kafka)):
        await eventually(lambda: _has(pool, 100))
    assert len(await read_all(kafka, out)) == 100


async def test_a_service_saves_and_says_things_of_its_own_in_order_with_the_batches(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in", partitions=2), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka)

    async def save(connection: Connection) -> list[Outgoing]:
        await connection.execute("INSERT INTO total VALUES ('own', 5, 0)")
        return [Outgoing(out, b"own", b"5", [])]

    async def fails(connection: Connection) -> list[Outgoing]:
        await save(connection)
        raise ValueError("a bug of the caller")

    async with running(loop):
        await loop.settled()
        try:
            await loop.transact(1, fails)
        except ValueError:
            assert await pool.fetchval("SELECT count(*) FROM total") == 0
        assert await loop.transact(1, save)
        assert not await loop.transact(7, save), "a partition that is not ours"
        await produce(kafka, topic, [("k", 1)], partition=1)
        await eventually(lambda: _has(pool, 1))
    assert [record.key for record in await read_all(kafka, out)] == [b"own", b"k"]
    assert not await loop.transact(1, save), "nothing is ours after the end"


async def test_two_members_share_the_partitions_and_nothing_is_applied_twice(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in", partitions=4), await make_topic("out", partitions=4)
    first, second = Ledger(topic, out, pool), Ledger(topic, out, pool)
    producing = asyncio.create_task(_keep_producing(kafka, topic, 40, 50))
    one = make_loop(first, kafka, instance="a")
    async with running(one):
        await one.settled()
        two = make_loop(second, kafka, instance="b")
        async with running(two):
            await eventually(lambda: len(one.assigned) == len(two.assigned) == 2, seconds=20)
            await producing
            await eventually(lambda: _has(pool, 2000))
        await eventually(lambda: len(one.assigned) == 4, seconds=30)
        await produce(kafka, topic, [(f"k{n}", 1) for n in range(40)])
        await eventually(lambda: _has(pool, 2040))
    records = await read_all(kafka, out)
    assert len(set(sources(records))) == 2040


async def _keep_producing(kafka: str, topic: str, rounds: int, each: int) -> None:
    for _ in range(rounds):
        await produce(kafka, topic, [(f"k{n}", 1) for n in range(each)])


async def _has(pool: Pool, count: int) -> bool:
    return await turns(pool) == count
