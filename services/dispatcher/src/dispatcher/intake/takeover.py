"""A batch becomes delivery rows, already leased, together with the checkpoint; first attempts follow from memory.

The fast path is the slow path with the read skipped: what has no room here is left pending, and a claim finds it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from uuid import UUID, uuid4

import asyncpg

from dispatcher.model.delivery import Delivery
from dispatcher.results.retention import ensure_days
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.store import postgres_deliveries
from dispatcher.store.postgres_deliveries import Lease
from dispatcher.store.queues import Queues
from servicekit.failpoints import broken
from servicekit.loop.batches import Commit, Connection, DeadRecord


class Takeover:
    """Shared by both handlers. `look_after(lanes)`: have it looked at whether their heads are blocked."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        destinations: Destinations,
        holdings: Holdings,
        queues: Queues,
        look_after: Callable[[Iterable[str]], None],
        *,
        lease_seconds: float,
        first_attempts: bool = True,
    ) -> None:
        self._pool, self._destinations, self._holdings, self._queues = pool, destinations, holdings, queues
        self._look_after = look_after
        self._lease_seconds, self._first_attempts = lease_seconds, first_attempts
        self._days: set[date] = set()

    async def take(self, sources: Iterable[str], connection: Connection) -> None:
        """The lanes of these partitions are this process's (again)."""
        self._look_after(await self._holdings.take(sources, self._destinations, connection))

    def leave(self, sources: Iterable[str]) -> None:
        """They are another's, or about to be taken anew."""
        self._holdings.leave(sources, self._destinations)

    async def commit(self, deliveries: Sequence[Delivery], dead: list[DeadRecord]) -> Commit:
        """What the partition loop has to save, and what to start afterwards."""
        if not deliveries:
            return Commit(dead=dead)
        if broken("dedupe"):
            for each in deliveries:
                each.key = uuid4()
        await self._prepare(deliveries)
        lease, states = Lease(self._lease_seconds), dict[UUID, str]()

        async def save(connection: Connection) -> None:
            states.update(await postgres_deliveries.take_over(connection, deliveries, lease))

        def after() -> None:
            self._start(deliveries, states, lease)

        return Commit(save=save, dead=dead, after=after)

    async def _prepare(self, deliveries: Sequence[Delivery]) -> None:
        """Numbers of queues, partitions of days, and who gets an attempt at once."""
        days = {each.day for each in deliveries} - self._days
        if days:
            async with self._pool.acquire() as connection:
                await ensure_days(connection, days)
            self._days |= days
        if self._first_attempts:
            await self._destinations.make_room(
                Counter(each.destination for each in deliveries if each.state != "discarded")
            )
        await self._queues.know((each.destination, queue_source(each)) for each in deliveries)
        room: dict[str, int] = {}
        for each in deliveries:
            each.queue_id = self._queues.id(each.destination, queue_source(each))
            if each.state == "discarded":
                continue
            left = room.get(each.destination)
            if left is None:
                left = self._destinations.room(each.destination) if self._first_attempts else 0
            each.state = "in_flight" if left > 0 else "pending"
            room[each.destination] = left - 1
        for destination, left in room.items():
            if left < 0:
                self._destinations.left_behind(destination)

    def _start(self, deliveries: Sequence[Delivery], states: dict[UUID, str], lease: Lease) -> None:
        started, looked_after = [], set()
        for each in deliveries:
            state = states.pop(each.key, None)  # Once: its repeat in the same batch was not inserted.
            if state == "in_flight":
                each.lease, each.lease_ends = lease.id, lease.ends
                started.append(each)
            elif each.lane is not None and state != "pending":
                looked_after.add(each.lane)
        self._destinations.offer(started)
        if looked_after:
            self._look_after(looked_after)


def queue_source(delivery: Delivery) -> str:
    """Rows of lanes are in their partition's own queue; any dispatcher may claim the others."""
    return delivery.source if delivery.lane is not None else ""
