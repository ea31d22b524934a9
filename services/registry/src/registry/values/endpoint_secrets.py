"""Signing secrets: made as Standard Webhooks asks; while one is being replaced, both sign."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import UTC, datetime

from contracts.cloudevents import rfc3339
from contracts.registry import Endpoint
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.loop.batches import Connection

SECRET_BYTES = 32
RETIRE_AT = "retire_secret_at"
"""In `extra`: from then on only the newest secret signs."""
DUE = """
    SELECT id FROM entity
    WHERE kind = 'endpoint' AND deleted_at IS NULL AND extra ->> 'retire_secret_at' <= $1 FOR UPDATE SKIP LOCKED
"""


def new_secret() -> str:
    """`whsec_` and the base64 of 32 random bytes."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def retire_due(connection: Connection) -> None:
    """Drop the older secret of every endpoint whose overlap is over."""
    async with connection.transaction():
        for row in await connection.fetch(DUE, rfc3339(datetime.now(UTC))):
            stored = await postgres_entities.find(connection, Endpoint, row["id"])
            if stored is not None:
                await _retire(connection, stored)


async def _retire(connection: Connection, stored: Stored[Endpoint]) -> None:
    entity = stored.entity.model_copy(update={"secrets": stored.entity.secrets[:1]})
    extra = {name: value for name, value in stored.extra.items() if name != RETIRE_AT}
    saved = await postgres_entities.update(connection, entity, extra=extra)
    if saved is not None:
        generation = await publications.generation(connection)
        record = record_of(entity, version=saved.version, generation=generation)
        await publications.add_record(connection, record)
