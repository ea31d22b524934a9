"""All SQL about layouts of flows. They are never published, and go with the flow's draft."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from registry.store.postgres import as_json
from servicekit.loop.batches import Connection

GET = "SELECT version, layout::text AS layout FROM flow_layout WHERE flow_id = $1"
PUT = """
    INSERT INTO flow_layout (flow_id, version, layout) VALUES ($1, 1, $2::text::jsonb)
    ON CONFLICT (flow_id) DO UPDATE SET version = flow_layout.version + 1, layout = excluded.layout
    RETURNING version
"""


class Stored(NamedTuple):
    """`version` counts the times it was saved; 0: never."""

    version: int
    layout: dict[str, Any]

    @property
    def etag(self) -> str:
        return f'"{self.version}"'


async def get(connection: Connection, flow_id: str) -> Stored:
    row = await connection.fetchrow(GET, flow_id)
    return Stored(0, {}) if row is None else Stored(row["version"], orjson.loads(row["layout"]))


async def put(connection: Connection, flow_id: str, layout: dict[str, Any]) -> Stored:
    """As it is from now on."""
    return Stored(await connection.fetchval(PUT, flow_id, as_json(layout)), layout)
