"""Signing secrets of endpoints and projects: made as Standard Webhooks asks; while one is being replaced, both sign."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from contracts.cloudevents import rfc3339
from contracts.registry import Endpoint, Project
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.loop.batches import Connection

SECRET_BYTES = 32
RETIRE_AT = "retire_secret_at"
"""In `extra`: from then on only the newest secret signs."""
DUE = """
    SELECT kind, id FROM entity
    WHERE kind IN ('endpoint', 'project') AND deleted_at IS NULL AND extra ->> 'retire_secret_at' <= $1 FOR UPDATE SKIP LOCKED
"""


def new_secret() -> str:
    """`whsec_` and the base64 of 32 random bytes."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def retire_due(connection: Connection) -> None:
    """Drop the older secrets of every endpoint and project whose overlap is over."""
    async with connection.transaction():
        for row in await connection.fetch(DUE, rfc3339(datetime.now(UTC))):
            model = Endpoint if row["kind"] == Endpoint.KIND else Project
            stored: Stored[Any] | None = await postgres_entities.find(connection, model, row["id"])
            if stored is not None:
                await _retire(connection, stored)


async def _retire(connection: Connection, stored: Stored[Any]) -> None:
    entity = stored.entity.model_copy(update=_newest_only(stored.entity))
    extra = {name: value for name, value in stored.extra.items() if name != RETIRE_AT}
    saved = await postgres_entities.update(connection, entity, extra=extra)
    if saved is not None:
        generation = await publications.generation(connection)
        record = record_of(entity, version=saved.version, generation=generation)
        await publications.add_record(connection, record)


def _newest_only(entity: Endpoint | Project) -> dict[str, Any]:
    return {"secrets": entity.secrets[:1]} if isinstance(entity, Endpoint) else {"older_secrets": ()}
