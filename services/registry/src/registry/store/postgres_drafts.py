"""All SQL about drafts of flows. They are never published."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from registry.store.postgres import as_json
from servicekit.loop.batches import Connection

GET = "SELECT version, document::text AS document FROM flow_draft WHERE flow_id = $1"
PUT = """
    INSERT INTO flow_draft (flow_id, version, document) VALUES ($1, 1, $2::text::jsonb)
    ON CONFLICT (flow_id) DO UPDATE
        SET version = flow_draft.version + 1, document = excluded.document, updated_at = now()
    RETURNING version
"""
DELETE = "DELETE FROM flow_draft WHERE flow_id = $1"


class Draft(NamedTuple):
    """`version` counts the times it was saved."""

    version: int
    document: dict[str, Any]


async def get(connection: Connection, flow_id: str) -> Draft:
    row = await connection.fetchrow(GET, flow_id)
    assert row is not None, "a flow is made with its draft"
    return Draft(row["version"], orjson.loads(row["document"]))


async def put(connection: Connection, flow_id: str, document: dict[str, Any]) -> int:
    """The draft's new version."""
    version: int = await connection.fetchval(PUT, flow_id, as_json(document))
    return version


async def delete(connection: Connection, flow_id: str) -> None:
    await connection.execute(DELETE, flow_id)
