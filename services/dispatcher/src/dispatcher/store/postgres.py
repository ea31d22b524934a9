"""PostgresDeliveries: the adapter of `store.port` that the process works on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import asyncpg

from dispatcher.model.delivery import DeliveryKind
from dispatcher.store.days import DayRows
from dispatcher.store.deliveries import DeliveryRows
from dispatcher.store.destinations import DestinationRows
from dispatcher.store.erasures import ErasureRows
from dispatcher.store.port import Place, Session
from dispatcher.store.queues import LaneDays, QueueNumbers
from dispatcher.store.replicas import ReplicaRows
from dispatcher.store.result_outbox import ResultOutboxRows
from servicekit.checkpoints.transactions import LoopConnection
from servicekit.loop.batches import Connection

T = TypeVar("T")


class PostgresSession(DeliveryRows, DestinationRows, ErasureRows, ResultOutboxRows, DayRows, ReplicaRows):
    """store.port.Session on one connection."""


class PostgresDeliveries:
    """store.port.DeliveryStore. `kinds`: rows of kinds that are not in it wait for a version that knows them."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], kinds: Mapping[str, DeliveryKind]) -> None:
        self._pool, self._kinds, self._numbers = pool, kinds, QueueNumbers()
        self._lane_days = LaneDays()
        self._transactions = LoopConnection(pool)

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        async with self._pool.acquire() as connection:
            yield self.on(connection)

    def on(self, connection: Connection) -> Session:
        return PostgresSession(connection, self._numbers, self._kinds, self._lane_days)

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        async with self._transactions.lock:
            return await self._transactions.transaction(lambda connection: work(self.on(connection)))

    async def age(self) -> int:
        """Session.age, on a connection of its own."""
        async with self.session() as session:
            return await session.age()

    async def queue_ids(self, places: Iterable[Place]) -> Mapping[Place, int]:
        await self._numbers.know(places, self._pool)
        return self._numbers.ids

    async def close(self) -> None:
        await self._transactions.close()
