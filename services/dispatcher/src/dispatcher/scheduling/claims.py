"""Finds what is due, queue by queue, as much as its destination can take: a dead one's million rows are never scanned."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Mapping

import asyncpg
import structlog

from dispatcher.model.delivery import DeliveryKind
from dispatcher.scheduling.destination import LONGEST_WAIT
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.store import postgres_deliveries
from dispatcher.store.postgres_deliveries import Lease, Row
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure

EVERY_SECONDS = 0.5
SWEEP_SECONDS = 15.0
AT_ONCE = 250
UNPUBLISHED_AGE = "20 seconds"
"""A result that Kafka has not got for so long is published again; younger ones are on their way."""

log = structlog.get_logger()


class Claims:
    """Looks when `due` is set (by a destination that has room again, or a replay), otherwise every half second.

    `sweep_results(age)`: publish the results that a crash left unpublished for longer than `age`.
    """

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        destinations: Destinations,
        holdings: Holdings,
        kinds: Mapping[str, DeliveryKind],
        *,
        due: asyncio.Event,
        sweep_results: Callable[[str], Awaitable[None]],
        lease_seconds: float,
    ) -> None:
        self._pool, self._destinations, self._holdings, self._kinds = pool, destinations, holdings, kinds
        self._due, self._sweep_results, self._lease_seconds = due, sweep_results, lease_seconds

    async def run(self) -> None:
        """For ever."""
        swept = 0.0
        while True:
            try:
                if time.monotonic() - swept > SWEEP_SECONDS:
                    await self._sweep(first=swept == 0.0)
                    swept = time.monotonic()
                more = await self.once()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("claims.held", error=repr(error))
                more = False
            if not more:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._due.wait(), EVERY_SECONDS)
            self._due.clear()

    async def once(self) -> bool:
        """Claim what is due and has room; whether there is surely more."""
        async with self._pool.acquire() as connection:
            queues = await postgres_deliveries.due_queues(connection, self._holdings.sources)
            claimed = [await self._claim(connection, queue) for queue in queues]
        return any(claimed)

    async def _claim(self, connection: Connection, queue: Row) -> bool:
        name = queue["destination"]
        closed = self._destinations.closed_for(name)
        if closed > LONGEST_WAIT:
            await postgres_deliveries.defer_queue(connection, queue["id"], closed)
            return False
        room = min(self._destinations.room(name), AT_ONCE)
        if room == 0:
            self._destinations.left_behind(name)
            return False
        lease = Lease(self._lease_seconds)
        rows = await postgres_deliveries.claim(connection, queue["id"], room, lease)
        if len(rows) < room:
            await postgres_deliveries.look_again(connection, queue["id"])
        else:
            self._destinations.left_behind(name)
        self._destinations.offer([postgres_deliveries.delivery_of(row, name, lease, self._kinds) for row in rows])
        return len(rows) == room

    async def _sweep(self, *, first: bool) -> None:
        """What a crash left: queues thought empty, results that Kafka never got."""
        async with self._pool.acquire() as connection:
            await postgres_deliveries.sweep(connection)
        await self._sweep_results("0 seconds" if first else UNPUBLISHED_AGE)
