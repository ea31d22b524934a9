"""A partition's new owner leaves no ordered lane without a head that is due, whatever is being saved at that moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeAlias

import asyncpg

from dispatcher.model.delivery import Delivery
from dispatcher.results.retention import ensure_days
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.postgres_deliveries import Lease, record, take_over
from dispatcher.store.queues import Queues
from support.dispatcher import RunningDispatcher
from support.leased import attempted, delivery
from support.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
SOURCE = "actions/77"
"""A partition that the running dispatcher does not have."""


async def _lane_of_two(pool: Pool) -> tuple[Delivery, Delivery]:
    queues, today = Queues(pool), datetime.now(UTC).date()
    await queues.know([("channel:c", SOURCE)])
    about: dict[str, Any] = {
        "kind": "message", "lane": "b/c/1", "source": SOURCE, "destination": "channel:c", "day": today,
        "queue_id": queues.id("channel:c", SOURCE), "state": "in_flight",
    }  # fmt: skip
    head, following = delivery(seq=1, **about), delivery(seq=2, **about)
    lease = Lease(60)
    async with pool.acquire() as connection:
        await ensure_days(connection, {today})
    async with pool.acquire() as connection, connection.transaction():
        assert await take_over(connection, [head, following], lease) == {
            head.key: "in_flight",
            following.key: "blocked",
        }
    head.lease = lease.id
    return head, following


async def _waits_for_a_lock(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_head_that_is_being_recorded_leaves_no_blocked_lane(dispatcher: RunningDispatcher) -> None:
    await dispatcher.start()
    pool, holdings = dispatcher.pool, Holdings(Pulse(3), 60)
    head, following = await _lane_of_two(pool)
    destinations: Any = SimpleNamespace(on_the_wire={})
    async with pool.acquire() as recording, pool.acquire() as taking:
        transaction = recording.transaction()
        await transaction.start()
        assert await record(recording, [attempted(head)], [], []) == {head.key}
        taken = asyncio.create_task(holdings.take({SOURCE}, destinations, taking))
        await eventually(lambda: _waits_for_a_lock(pool))
        await transaction.commit()
        await taken
    row = await pool.fetchrow("SELECT state, due <= now() AS due FROM delivery WHERE id = $1", following.key)
    assert (row["state"], row["due"]) == ("retrying", True)  # type: ignore[index]


async def test_what_we_are_sending_goes_on_and_its_lane_is_looked_after(dispatcher: RunningDispatcher) -> None:
    await dispatcher.start()
    pool, holdings = dispatcher.pool, Holdings(Pulse(3), 60)
    head, _ = await _lane_of_two(pool)
    destinations: Any = SimpleNamespace(on_the_wire={head.key: head})
    async with pool.acquire() as taking:
        assert await holdings.take({SOURCE}, destinations, taking) == {"b/c/1"}
    assert await pool.fetchval("SELECT state FROM delivery WHERE id = $1", head.key) == "in_flight"
