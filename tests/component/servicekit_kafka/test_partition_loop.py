"""The loop in good weather: records are applied once and in order, totals go out, rows go away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from servicekit.partition_loop import PartitionLoop
from support.ledger import Ledger, committed, ledger_pool, produce, read_all, running, sources
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]


async def test_records_are_applied_once_and_in_order(kafka: str, database: str, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in", partitions=3), await make_topic("out", partitions=3)
    async with ledger_pool(database) as pool:
        ledger = Ledger(topic, out, pool)
        await produce(kafka, topic, [(f"k{n % 10}", 1) for n in range(500)])
        loop = PartitionLoop(
            ledger, kafka=kafka, group=topic, service="flow-engine", instance="a", pool=pool, session_timeout=6
        )
        async with running(loop):
            await eventually(lambda: applied(pool, 500))
            await produce(kafka, topic, [("late", 7)])
            await eventually(lambda: applied(pool, 501))
            await eventually(lambda: no_rows(pool))
            await eventually(lambda: all_committed(kafka, topic, 501))
            assert loop.assigned == {0, 1, 2}
            assert loop.problem() is None
        records = await read_all(kafka, out)
    assert len(records) == 501
    assert all(earlier < later for earlier, later in zip(sources(records), sources(records)[1:], strict=False))
    assert max(ledger.sizes) <= 250


async def applied(pool, turns: int) -> bool:  # type: ignore[no-untyped-def]
    return await pool.fetchval("SELECT coalesce(sum(turns), 0) FROM total") == turns


async def no_rows(pool) -> bool:  # type: ignore[no-untyped-def]
    return await pool.fetchval("SELECT count(*) FROM outbox") == 0


async def all_committed(kafka: str, topic: str, count: int) -> bool:
    return sum((await committed(kafka, topic, topic)).values()) == count
