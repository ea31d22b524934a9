"""Generated URLs whose time is over are deleted: what they need is inside them, their end included, so nothing refers to
their entity any more, and every service would keep it in memory for ever."""

from __future__ import annotations

from contracts.registry import HookUrl
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.database import Connection

AT_ONCE = 500
OVER = """
    SELECT id FROM entity
    WHERE kind = 'hook_url' AND deleted_at IS NULL AND (data ->> 'expires_at')::timestamptz < now() - interval '24 hours'
    LIMIT $1 FOR UPDATE SKIP LOCKED
"""
"""A day later: until then who looks at the URL sees when it ended, whatever the clocks say."""


async def end_over(connection: Connection) -> None:
    """Delete all whose time is over."""
    while await _end_some(connection) == AT_ONCE:
        pass


async def _end_some(connection: Connection) -> int:
    async with connection.transaction():
        generation = await publications.generation(connection)
        rows = await connection.fetch(OVER, AT_ONCE)
        for row in rows:
            known: Stored[HookUrl] | None = await postgres_entities.find(connection, HookUrl, row["id"])
            if known is not None and (version := await postgres_entities.delete(connection, known.entity)) is not None:
                await postgres_entities.use(connection, known.entity, [])
                record = record_of(known.entity, version=version, generation=generation, deleted=True)
                await publications.add_record(connection, record)
    return len(rows)
