"""store.port.ConversationStore over PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from flow_engine.catalogue.port import Retired
from flow_engine.state.broadcasts import Recipient, RecipientKey
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.state.rows import TurnOf
from flow_engine.state.work import Begun, Erased, Outcome, PersonKept, Work
from flow_engine.store import (
    contacts,
    erasures,
    event_log,
    held,
    history,
    identities,
    loading,
    names,
    recipients,
    retired,
    saving,
    timers,
)
from flow_engine.store.port import (
    BACKLOG_BYTES,
    Conversations,
    DueTimers,
    FiredTimer,
    HeldConversation,
    HeldEvent,
    LoggedEvent,
    Name,
    OwnContact,
    Reads,
    StoredConversation,
    Unfinished,
)
from flowlang.model import Contact
from servicekit.checkpoints.transactions import is_lost
from servicekit.database import keep_plans
from servicekit.kafka.records import Record
from servicekit.loop.batches import Connection


class PostgresConversations:
    """Batches are read on one connection of the pool, kept between them: a pool's reset is a round trip of its own."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], pseudonyms: Pseudonyms) -> None:
        self._pool, self._pseudonyms = pool, pseudonyms
        self._held: Any = None
        self._one_batch = asyncio.Lock()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reads]:
        """See the port. Any error, of the server or of the caller, gives the connection back."""
        async with self._one_batch:
            if self._held is None or is_lost(self._held):
                await self.close()
                self._held = await self._pool.acquire()
                await keep_plans(self._held)
            try:
                yield PostgresReads(self._held, self._pseudonyms)
            except BaseException:
                await self.close()
                raise

    async def close(self) -> None:
        """Give the connection back."""
        connection, self._held = self._held, None
        if connection is not None:
            await self._pool.release(connection)

    async def save(self, work: Work, connection: Connection) -> None:
        await saving.save(work, connection, self._pseudonyms)

    async def hold(self, record: Record, key: str, error: str, connection: Connection) -> None:
        await connection.execute(held.HOLD, *held.HELD.arrays([held.row(record, key, error)]))

    async def held_failed(self, conversation: str, position: int, error: str, connection: Connection) -> None:
        await held.failed(connection, conversation, position, error)

    async def deferred(self, parts: Iterable[int], connection: Connection) -> list[TurnOf]:
        return await held.deferred(connection, list(parts))

    async def held_conversations(self, after: str | None, limit: int) -> list[HeldConversation]:
        async with self._pool.acquire() as connection:
            return await held.conversations(connection, after, limit)

    async def held_events(self, conversation: str, after: int | None, limit: int) -> list[HeldEvent]:
        async with self._pool.acquire() as connection:
            return await held.events(connection, conversation, limit, after)

    async def discard_held(self, conversation: str, positions: list[int] | None) -> int:
        async with self._pool.acquire() as connection:
            return await held.discard(connection, conversation, positions)

    async def event(self, event_id: str) -> LoggedEvent | None:
        async with self._pool.acquire() as connection:
            return (await event_log.find(connection, [event_id])).get(event_id)

    async def oldest_erasure(self) -> Unfinished | None:
        async with self._pool.acquire() as connection:
            return await erasures.oldest(connection)

    async def due_timers(self, parts: list[int]) -> list[DueTimers]:
        async with self._pool.acquire() as connection:
            return await timers.due(connection, parts)

    async def fire_timers(self, part: int, limit: int, connection: Connection, each: int) -> list[FiredTimer]:
        return await timers.fire(connection, part, limit, each)

    async def lost_timers(self, parts: list[int], seconds: float) -> list[int]:
        async with self._pool.acquire() as connection:
            return await timers.with_lost(connection, parts, seconds)

    async def fire_lost_timers(self, part: int, limit: int, seconds: float, connection: Connection) -> list[FiredTimer]:
        return await timers.fire_lost(connection, part, limit, seconds)

    async def retired(self, connection: Connection) -> dict[str, Retired]:
        return await retired.through(connection)

    async def retire(self, generation: int, through: Mapping[str, int]) -> bool:
        async with self._pool.acquire() as connection:
            return await retired.retire(connection, generation, through)

    async def stood_on(self, after: str | None, limit: int) -> tuple[set[str], str | None]:
        async with self._pool.acquire() as connection:
            return await retired.stood_on(connection, after, limit)


class PostgresReads:
    """store.port.Reads on a connection."""

    def __init__(self, connection: Connection, pseudonyms: Pseudonyms) -> None:
        self._connection, self._pseudonyms = connection, pseudonyms

    async def conversations(self, keys: Iterable[str]) -> dict[str, StoredConversation]:
        return await loading.load(self._connection, keys, self._pseudonyms)

    async def timers(self, ids: list[str]) -> set[str]:
        return await timers.present(self._connection, ids)

    async def named(self, names_: Sequence[Name]) -> dict[Name, Conversations]:
        return await names.find(self._connection, names_)

    async def holders(self, names_: Sequence[Name]) -> dict[Name, Contact]:
        return await identities.holders(self._connection, names_)

    async def contacts(self, ids: Sequence[tuple[str, str]]) -> dict[str, OwnContact]:
        return await contacts.by_id(self._connection, ids)

    async def person(self, bot_id: str, contact_id: str) -> PersonKept | None:
        return await erasures.person(self._connection, bot_id, contact_id)

    async def event_ids(self, conversation: str) -> list[str]:
        return await event_log.of_conversation(self._connection, conversation)

    async def begun(self, id: str) -> Begun | None:
        return await erasures.begun(self._connection, id)

    async def erased_names(self, names_: Sequence[Name]) -> dict[Name, Erased]:
        return await erasures.names(self._connection, names_, self._pseudonyms)

    async def recipients(self, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Recipient]:
        return await recipients.read(self._connection, keys)

    async def backlog(self, conversation: str, after: int) -> list[dict[str, Any]]:
        return await loading.backlog(self._connection, conversation, after, most_bytes=BACKLOG_BYTES)

    async def said(self, conversation: str, limit: int, before: int, without: str) -> list[dict[str, str]]:
        return await history.said(self._connection, conversation, limit, before, without)

    async def outcomes(self, event_ids: list[str]) -> dict[str, Outcome]:
        found = await event_log.find(self._connection, event_ids)
        return {id: event_log.outcome(logged) for id, logged in found.items()}

    async def held_counts(self, conversations: list[str]) -> dict[str, int]:
        return await held.counts(self._connection, conversations)

    async def held_size(self, project: str) -> int:
        return await held.size(self._connection, project)

    async def held_digests(self, event_ids: list[str]) -> dict[str, str]:
        return await held.digests(self._connection, event_ids)

    async def held(self, conversation: str, limit: int, after: int = 0) -> list[HeldEvent]:
        return await held.events(self._connection, conversation, limit, after)
