"""How fast a broadcast goes, and when it gives way, over PostgreSQL and without Kafka."""

from __future__ import annotations

import pytest

from flow_engine.batch import broadcasting, walking
from support.broadcasts import Sender, outcomes


async def test_the_rate_is_kept_evenly_and_nothing_is_made_up_for(sender: Sender) -> None:
    for number in range(12):
        await sender.says(f"p{number}")
    made = await sender.make(rate=2)
    await sender.walker.look()
    for _ in range(5):
        await sender.walker.look()
    assert (await sender.shown(made))["counts"]["recipients"] == 1
    async with sender.pool.acquire() as connection:  # An hour without an engine.
        await connection.execute(
            "UPDATE broadcast_walk SET paced_at = now() - interval '1 hour' WHERE broadcast = $1", made["id"]
        )
    for _ in range(5):
        await sender.walker.look()
    assert (await sender.shown(made))["counts"]["recipients"] <= 4


async def test_so_many_starts_are_on_the_way_and_few_while_others_wait(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasting, "MOST_SENDING", 3)
    monkeypatch.setattr(walking, "FEW_SECONDS", 0.0)
    for number in range(8):
        await sender.says(f"p{number}")
    made = await sender.make()
    for _ in range(6):
        await sender.walker.look()
    assert (await sender.shown(made))["counts"]["sending"] == len(sender.world.waiting) == 3
    await sender.world.settle()
    monkeypatch.setattr(sender.world, "waited", lambda: 10.0)
    await sender.walker.look()
    assert len(sender.world.waiting) == 1
    monkeypatch.setattr(walking, "FEW_SECONDS", 60.0)
    await sender.walker.look()
    for _ in range(6):
        await sender.walker.look()
    assert len(sender.world.waiting) == 2
    monkeypatch.setattr(sender.world, "waited", lambda: 0.0)
    assert outcomes(await sender.until(made)) == {"started": 8}


async def test_a_step_is_small_also_when_the_walk_is_late(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "AT_ONCE_SECONDS", 0.01)
    for number in range(8):
        await sender.says(f"p{number}")
    await sender.make(rate=200)
    await sender.begin(1)
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast_walk SET paced_at = now() - interval '1 hour'")
    before = len(sender.world.waiting)
    await sender.walker.look()
    assert len(sender.world.waiting) - before == 3
