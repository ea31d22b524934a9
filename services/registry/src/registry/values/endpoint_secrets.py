"""Signing secrets of endpoints and projects. One that was replaced goes on signing beside the newest until its time."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

from contracts.cloudevents import rfc3339
from contracts.registry import Endpoint, Project, Sealed
from registry.entities import Stored, record_of
from registry.store import postgres_entities, publications
from servicekit.loop.batches import Connection

SECRET_BYTES = 32
RETIRE_AT = "retire_secret_at"
"""In `extra`: when the next one of the older secrets stops signing."""
ENDS = "secret_ends"
"""In `extra`: when each of the older secrets stops, in their order. What an earlier release rotated has only RETIRE_AT."""
MOST = 10
"""Secrets that sign at once."""
DUE = """
    SELECT kind, id FROM entity
    WHERE kind IN ('endpoint', 'project') AND deleted_at IS NULL AND extra ->> 'retire_secret_at' <= $1 FOR UPDATE SKIP LOCKED
"""


def new_secret() -> str:
    """`whsec_` and the base64 of 32 random bytes."""
    return "whsec_" + b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


def ends_of(stored: Stored[Endpoint] | Stored[Project]) -> list[str]:
    """When each of the older secrets stops signing, RFC 3339."""
    older = len(_older(stored.entity))
    ends: list[str] = stored.extra.get(ENDS) or [stored.extra.get(RETIRE_AT, "")] * older
    return ends


def with_ends(extra: dict[str, Any], ends: list[str]) -> dict[str, Any]:
    """`extra` of an entity whose older secrets stop then."""
    others = {name: value for name, value in extra.items() if name not in (RETIRE_AT, ENDS)}
    return others | ({RETIRE_AT: min(ends), ENDS: ends} if ends else {})


async def retire_due(connection: Connection) -> None:
    """Drop of every endpoint and project the older secrets whose overlap is over."""
    async with connection.transaction():
        for row in await connection.fetch(DUE, rfc3339(datetime.now(UTC))):
            model = Endpoint if row["kind"] == Endpoint.KIND else Project
            stored: Stored[Any] | None = await postgres_entities.find(connection, model, row["id"])
            if stored is not None:
                await _retire(connection, stored)


async def _retire(connection: Connection, stored: Stored[Any]) -> None:
    ends = ends_of(stored)
    now = max(rfc3339(datetime.now(UTC)), min(ends, default=""))
    kept = [(secret, end) for secret, end in zip(_older(stored.entity), ends, strict=True) if end > now]
    entity = _with_older(stored.entity, tuple(secret for secret, _ in kept))
    extra = with_ends(stored.extra, [end for _, end in kept])
    saved = await postgres_entities.update(connection, entity, extra=extra)
    if saved is not None:
        generation = await publications.generation(connection)
        record = record_of(entity, version=saved.version, generation=generation)
        await publications.add_record(connection, record)


def _older(entity: Endpoint | Project) -> tuple[Sealed, ...]:
    return entity.secrets[1:] if isinstance(entity, Endpoint) else entity.older_secrets


def _with_older(entity: Endpoint | Project, older: tuple[Sealed, ...]) -> Endpoint | Project:
    if isinstance(entity, Endpoint):
        return entity.model_copy(update={"secrets": (entity.secrets[0], *older)})
    return entity.model_copy(update={"older_secrets": older})
