"""The delivery log: what the API reads, and the replay that it can order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from servicekit.loop.batches import Connection

_DELIVERY = """
SELECT d.id, d.kind, d.state, d.attempts, d.base, d.due, d.created_at, d.finished_at, d.conversation, d.event_type,
       d.event_id, d.error, d.lane, q.destination
  FROM delivery d JOIN queue q ON q.id = d.queue_id
"""
_PAGE = (
    _DELIVERY
    + """
 WHERE d.project_id = $1
   AND ($2::text IS NULL OR q.destination = 'endpoint:' || $2)
   AND ($3::text IS NULL OR d.event_type = $3 OR d.event_id = $3)
   AND ($4::text IS NULL OR d.state = $4)
   AND ($5::timestamptz IS NULL OR d.created_at >= $5)
   AND ($6::timestamptz IS NULL OR (d.created_at, d.id) < ($6, $7::uuid))
 ORDER BY d.created_at DESC, d.id DESC LIMIT $8
"""
)
_ONE = _DELIVERY + " WHERE d.id = $1 AND d.project_id = $2"
_PAYLOAD = "SELECT payload FROM delivery WHERE id = $1 AND project_id = $2"
_ATTEMPTS = """
SELECT number, started_at, took_ms, outcome, status, code, detail, request, response
  FROM attempt WHERE delivery_id = $1 ORDER BY started_at
"""
_REPLAY = """
WITH chosen AS (
    SELECT d.id, d.day, q.destination FROM delivery d JOIN queue q ON q.id = d.queue_id
     WHERE d.id = $1 AND d.project_id = $2 AND d.finished_at IS NOT NULL AND d.kind = ANY ($3::text[])
       AND d.payload <> ''
       FOR UPDATE OF d
), common AS (
    INSERT INTO queue (destination, next_due) SELECT destination, now() FROM chosen
    ON CONFLICT (destination, source) DO UPDATE SET next_due = least(queue.next_due, now())
    RETURNING id
)
UPDATE delivery d
   SET state = 'pending', base = attempts, due = now(), finished_at = NULL, expires_at = NULL, error = NULL,
       lane = NULL, seq = NULL, queue_id = common.id
  FROM chosen, common WHERE d.id = chosen.id AND d.day = chosen.day
RETURNING d.id
"""
_SOONER = """
WITH sooner AS (
    UPDATE delivery SET due = now()
     WHERE id = $1 AND project_id = $2 AND state IN ('pending', 'retrying') AND kind = ANY ($3::text[])
 RETURNING queue_id
)
UPDATE queue SET next_due = least(next_due, now()) FROM sooner WHERE queue.id = sooner.queue_id RETURNING queue.id
"""
Row = Any


async def page(
    connection: Connection,
    project: str,
    *,
    endpoint: str | None,
    event: str | None,
    state: str | None,
    since: datetime | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row]:
    """The newest first; one more than `limit`, if there are so many."""
    moment, id = after or (None, None)
    return list(await connection.fetch(_PAGE, project, endpoint, event, state, since, moment, id, limit + 1))


async def find(connection: Connection, id: UUID, project: str) -> Row | None:
    """One delivery of the project."""
    return await connection.fetchrow(_ONE, id, project)


async def payload(connection: Connection, id: UUID, project: str) -> bytes:
    """What was to be delivered."""
    return bytes(await connection.fetchval(_PAYLOAD, id, project))


async def attempts(connection: Connection, id: UUID) -> list[Row]:
    """A delivery's attempts in order."""
    return list(await connection.fetch(_ATTEMPTS, id))


async def replay(connection: Connection, id: UUID, project: str, kinds: Collection[str]) -> bool:
    """Make a finished delivery due again under its own id, outside its lane, where others have gone before it.

    One that waits for its next attempt is only made due. False when an attempt is under way, when it waits behind an
    earlier one, or when it is of none of these kinds.
    """
    asked = (id, project, list(kinds))
    for statement in (_REPLAY, _SOONER):
        if await connection.fetchval(statement, *asked) is not None:
            return True
    return False
