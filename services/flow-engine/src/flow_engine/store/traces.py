"""What happened in conversations, a row a turn: written with the turn, read by conversation."""

from __future__ import annotations

from typing import Any

from flow_engine.state.rows import TraceRow
from flow_engine.state.traces import steps_of
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

TRACED = Columns(TraceRow, "uuid bigint bytea")
_NEWEST = "SELECT turn, body FROM trace WHERE conversation = $1 AND turn < $2 ORDER BY turn DESC LIMIT $3"
_ONE = "SELECT body FROM trace WHERE conversation = $1 AND turn = $2"
_LAST = 2**63 - 1


async def newest(connection: Connection, conversation: str, before: int | None, limit: int) -> list[tuple[int, bytes]]:
    """At most `limit` turns before one, as (turn, body), the newest first."""
    rows = await connection.fetch(_NEWEST, conversation, _LAST if before is None else before, limit)
    return [(row["turn"], row["body"]) for row in rows]


async def steps(connection: Connection, conversation: str, turn: int) -> list[dict[str, Any]]:
    """The nodes that ran in a turn; none where nothing is known of it any more."""
    body = await connection.fetchval(_ONE, conversation, turn)
    return [] if body is None else steps_of(body)
