"""API calls and endpoints that an earlier release kept with their values in the clear: sealed, some at a time."""

from __future__ import annotations

from typing import Any

from contracts.registry import ApiCall, Endpoint
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.credentials.sealing import KeyRing
from servicekit.credentials.sent_values import sealed_values
from servicekit.loop.batches import Connection

AT_ONCE = 100
DUE = """
    SELECT kind, id FROM entity
    WHERE kind IN ('api_call', 'endpoint') AND deleted_at IS NULL AND NOT data ? 'sealed'
        AND (data -> 'headers' <> '{}' OR data -> 'params' <> '{}' OR split_part(data ->> 'url', '#', 1) LIKE '%_?_%')
        AND strpos(concat(data -> 'url', data -> 'headers', data -> 'params'), '[hidden]') = 0
    LIMIT $1 FOR UPDATE SKIP LOCKED
"""
"""Not what a registry of that release changed again after it was sealed: of that, the values are lost."""


async def seal_due(connection: Connection, keys: KeyRing) -> None:
    """Seal what is there in the clear, and publish it."""
    async with connection.transaction():
        for row in await connection.fetch(DUE, AT_ONCE):
            model: type[Any] = ApiCall if row["kind"] == ApiCall.KIND else Endpoint
            stored = await postgres_entities.find(connection, model, row["id"])
            if stored is not None:
                await _seal(connection, keys, stored)


async def _seal(connection: Connection, keys: KeyRing, stored: Stored[Any]) -> None:
    entity = stored.entity.model_copy(update=sealed_values(keys, stored.entity, None))
    saved = await postgres_entities.update(connection, entity, extra=stored.extra)
    if saved is not None:
        generation = await publications.generation(connection)
        await publications.add_record(connection, record_of(entity, version=saved.version, generation=generation))
