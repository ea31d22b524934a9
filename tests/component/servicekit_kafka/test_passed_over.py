"""Batches without any effect take no transaction; the checkpoint follows them, and still fences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg

from servicekit.loop.batches import Batch, Commit
from support.ledger import Ledger, make_loop, produce, read_all, running, turns
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Choosy(Ledger):
    """Amounts of nothing have no effect."""

    async def apply(self, batch: Batch) -> Commit:
        kept = [record for record in batch.records if record.value != b"0"]
        self.seen = [*getattr(self, "seen", []), *(record.offset for record in batch.records)]
        return await super().apply(Batch(kept, batch.epochs)) if kept else Commit()


async def _checkpoint(pool: Pool) -> tuple[int, str]:
    row = await pool.fetchrow("SELECT next_offset, last_id FROM checkpoint")
    return (row["next_offset"], row["last_id"]) if row else (-1, "")


async def test_the_checkpoint_follows_what_had_no_effect(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    async with running(make_loop(Choosy(topic, out, pool), kafka)):
        await produce(kafka, topic, [("k", 0)] * 30)
        await eventually(lambda: _stands_at(pool, 30))
    assert await read_all(kafka, out) == []


async def test_an_effect_behind_records_without_one_is_applied_once(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    async with running(make_loop(Choosy(topic, out, pool), kafka, max_records=5)):
        for value in (0, 0, 3, 0, 4):
            await produce(kafka, topic, [("k", value)] * 7)
        await eventually(lambda: _applied(pool, 14))
    assert await pool.fetchval("SELECT amount FROM total") == 7 * (3 + 4)
    assert len(await read_all(kafka, out)) == 14
    assert (await _checkpoint(pool))[0] == 35, "a stop saves the position"


async def test_a_next_run_begins_behind_them(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 0)] * 10)
    async with running(make_loop(Choosy(topic, out, pool), kafka)):
        await eventually(lambda: _stands_at(pool, 10))
    second = Choosy(topic, out, pool)
    async with running(make_loop(second, kafka)):
        await produce(kafka, topic, [("k", 1)])
        await eventually(lambda: _applied(pool, 1))
    assert second.seen == [10]


async def test_another_owner_is_noticed_without_any_effect(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Choosy(topic, out, pool), kafka)
    async with running(loop):
        await loop.settled()
        await pool.execute("UPDATE checkpoint SET epoch = epoch + 1, owner = gen_random_uuid()")
        before = await _checkpoint(pool)
        await produce(kafka, topic, [("k", 0)] * 5)
        await eventually(lambda: loop.assigned == set())
        assert await _checkpoint(pool) == before, "it is the other one's to move"


async def _stands_at(pool: Pool, offset: int) -> bool:
    return (await _checkpoint(pool))[0] == offset


async def _applied(pool: Pool, count: int) -> bool:
    return await turns(pool) == count
