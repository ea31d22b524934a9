"""A partition's new owner leaves no lane without a head that is due, whatever is being saved at that moment."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, TypeAlias

import asyncpg

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.port import Lease, Place
from dispatcher.store.postgres import PostgresDeliveries
from support.dispatcher import RunningDispatcher
from support.leased import attempted, delivery
from support.waiting import eventually

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
PLACE = Place("channel:c", "actions/77")
"""Of a partition that the running dispatcher does not have."""


async def _lane_of_two(store: PostgresDeliveries) -> tuple[Delivery, Delivery]:
    today = datetime.now(UTC).date()
    about: dict[str, Any] = {
        "kind": "message", "lane": "b/c/1", "source": PLACE.source, "destination": PLACE.destination, "day": today,
        "queue_id": (await store.queue_ids([PLACE]))[PLACE], "state": "in_flight",
    }  # fmt: skip
    head, following = delivery(seq=1, **about), delivery(seq=2, **about)
    lease = Lease(60)
    async with store.session() as session:
        await session.ensure_days([today])
    taken_over = await store.transaction(lambda session: session.take_over([head, following], lease))
    assert taken_over == {head.key: "in_flight", following.key: "blocked"}
    head.lease = lease.id
    return head, following


async def _waits_for_a_lock(pool: Pool) -> bool:
    return bool(await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))


async def test_a_head_that_is_being_recorded_leaves_no_blocked_lane(dispatcher: RunningDispatcher) -> None:
    await dispatcher.start()
    pool, holdings = dispatcher.pool, Holdings(Pulse(3), 60, list)
    store = PostgresDeliveries(pool, DELIVERY_KINDS)
    head, following = await _lane_of_two(store)
    await store.close()
    destinations: Any = SimpleNamespace(on_the_wire={})
    async with pool.acquire() as recording, pool.acquire() as taking:
        transaction = recording.transaction()
        await transaction.start()
        assert await store.on(recording).record([attempted(head)], [], []) == ({head.key}, set())
        taken = asyncio.create_task(holdings.take({PLACE.source}, destinations, store.on(taking)))
        await eventually(lambda: _waits_for_a_lock(pool))
        await transaction.commit()
        await taken
    row = await pool.fetchrow("SELECT state, due <= now() AS due FROM delivery WHERE id = $1", following.key)
    assert (row["state"], row["due"]) == ("retrying", True)  # type: ignore[index]
