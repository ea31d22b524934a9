"""The stores' twins behind the simulated network: what a machine asks takes time, may be lost, and is done in one step."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg

from dispatcher.store.port import Place, Session
from servicekit.checkpoints.transactions import OutcomeUnknown
from simulation import database
from simulation.database import Pool, at_once
from support.conversations_in_memory import ConversationsInMemory, ReadsInMemory
from support.deliveries_in_memory import DeliveriesInMemory

T = TypeVar("T")


class Asking:
    """Each method of `twin`, as a question over the network."""

    def __init__(self, pool: Pool, twin: Any) -> None:
        self._pool, self._twin = pool, twin

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def ask(*arguments: Any) -> Any:
            async with self._pool.acquire() as session:
                return await session.ask(lambda: at_once(getattr(self._twin, name)(*arguments)))

        return ask


class Conversations:
    """flow_engine.store.port.ConversationStore of one process."""

    def __init__(self, pool: Pool, twin: ConversationsInMemory, held: Callable[[Any], None]) -> None:
        """`held` hears of each record that this process holds a conversation by."""
        self._pool, self._twin, self._held = pool, twin, held
        self._one_batch = asyncio.Lock()
        self._asking = Asking(pool, twin)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asking, name)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Any]:
        async with self._one_batch:
            yield Asking(self._pool, ReadsInMemory(self._twin))

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def save(self, work: Any, connection: database.Session) -> None:
        if connection.database.lacks_partition:
            raise asyncpg.CheckViolationError('no partition of relation "message" found for row')
        if 0 < connection.database.in_time < len(work.conversations):
            await connection.takes_too_long()
        if connection.counts:
            at_once(self._twin.save(work, connection))
            connection.saved = True

    async def hold(self, record: Any, key: str, error: str, connection: database.Session) -> None:
        if connection.counts:
            connection.database.network.trace(f"held {key}: {error}")
            self._held(record)
            at_once(self._twin.hold(record, key, error, connection))
            connection.saved = True

    async def deferred(self, parts: Iterable[int], connection: database.Session) -> list[Any]:
        return await connection.ask(lambda: at_once(self._twin.deferred(parts, connection)))

    async def retired(self, connection: database.Session) -> dict[str, Any]:
        return await connection.ask(lambda: at_once(self._twin.retired(connection)))

    async def held_failed(self, conversation: str, position: int, error: str, connection: database.Session) -> None:
        if connection.counts:
            at_once(self._twin.held_failed(conversation, position, error, connection))
            connection.saved = True

    async def fire_timers(self, part: int, limit: int, connection: database.Session, each: int) -> list[Any]:
        return self._fired(connection, self._twin.fire_timers(part, limit, connection, each))

    async def fire_lost_timers(self, part: int, limit: int, seconds: float, connection: database.Session) -> list[Any]:
        return self._fired(connection, self._twin.fire_lost_timers(part, limit, seconds, connection))

    @staticmethod
    def _fired(connection: database.Session, work: Any) -> list[Any]:
        if not connection.counts:
            work.close()
            return []
        connection.saved = True
        return at_once(work)


class Deliveries:
    """dispatcher.store.port.DeliveryStore of one process."""

    def __init__(self, pool: Pool, twin: DeliveriesInMemory) -> None:
        self._pool, self._twin = pool, twin
        self._one_transaction = asyncio.Lock()

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Any]:
        yield Asking(self._pool, self._twin)

    def on(self, connection: database.Session) -> Any:
        return InTransaction(connection, self._twin) if connection.open else Asking(self._pool, self._twin)

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        async with self._one_transaction, self._pool.acquire() as session:
            await session.start()
            try:
                result, lost = await session.ask(lambda: self._done(session, work))
            except OSError as error:
                raise OutcomeUnknown(error) from error
            if lost:
                session.end()
                raise OutcomeUnknown(ConnectionResetError("the answer to COMMIT is lost"))
            return result

    def _done(self, session: database.Session, work: Callable[[Session], Any]) -> tuple[Any, bool]:
        """What it came to, and whether the asker never hears of it."""
        unknown, happens = session.database.unknown, session.database.network.happens
        if unknown and happens(unknown / 2):
            return None, True
        result = at_once(work(self._twin))
        session._over()
        return result, bool(unknown) and happens(unknown / 2)

    async def age(self) -> int:
        async with self.session() as session:
            number: int = await session.age()
        return number

    async def queue_ids(self, places: Iterable[Place]) -> Mapping[Place, int]:
        wanted = list(places)
        async with self._pool.acquire() as session:
            return await session.ask(lambda: dict(at_once(self._twin.queue_ids(wanted))))

    async def close(self) -> None:
        """There is nothing to let go of."""


class InTransaction:
    """dispatcher.store.port.Session in a transaction of the partition loop."""

    def __init__(self, connection: database.Session, twin: DeliveriesInMemory) -> None:
        self._connection, self._twin = connection, twin

    async def take_over(self, deliveries: Any, lease: Any) -> Any:
        if self._connection.counts:
            self._connection.saved = True
            return at_once(self._twin.take_over(deliveries, lease))
        before = copy.deepcopy(self._twin.tables)
        states = at_once(self._twin.take_over(deliveries, lease))
        self._twin.tables = before
        return states

    async def supersede(self, lanes: Any) -> Any:
        if not self._connection.counts:
            return set()
        self._connection.saved = True
        return at_once(self._twin.supersede(lanes))

    async def erase(self, contact_ids: Any, conversation: str) -> None:
        if self._connection.counts:
            self._connection.saved = True
            at_once(self._twin.erase(contact_ids, conversation))
