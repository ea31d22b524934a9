"""All SQL about the circuits of endpoints, as the dispatchers told of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from servicekit.loop.batches import Connection

NOTE = """
    INSERT INTO circuit (endpoint_id, at, since, next_try, reason)
    SELECT id, at, CASE WHEN next_try IS NOT NULL THEN at END, next_try, reason
      FROM unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::text[]) AS told (id, at, next_try, reason)
    ON CONFLICT (endpoint_id) DO UPDATE
       SET at = excluded.at, next_try = excluded.next_try, reason = excluded.reason,
           since = CASE WHEN excluded.next_try IS NOT NULL THEN coalesce(circuit.since, excluded.since) END
     WHERE circuit.at <= excluded.at
"""
FIND = """
    SELECT since, next_try, reason, next_try <= now() AS is_tried FROM circuit
     WHERE endpoint_id = $1 AND next_try > now() - make_interval(secs => $2)
"""
FORGET = "DELETE FROM circuit WHERE endpoint_id = $1"
FORGET_OLD = "DELETE FROM circuit WHERE at < now() - interval '1 day'"
UNTRIED_SECONDS = 600.0
"""An open circuit is tried within 300 s. One that nobody has tried for so long is nobody's: the dispatcher that had opened it
was started again, or nothing waits for the endpoint."""


class Told(NamedTuple):
    """What was told at `at`; `next_try`: until when nothing is sent, None: the circuit closed."""

    endpoint_id: str
    at: datetime
    next_try: datetime | None
    reason: str | None


async def note(connection: Connection, told: Sequence[Told]) -> None:
    """What was told last of each endpoint counts."""
    last = {each.endpoint_id: each for each in sorted(told, key=lambda each: each.at)}
    await connection.execute(NOTE, *(list(column) for column in zip(*last.values(), strict=True)))


async def find(connection: Connection, endpoint_id: str) -> dict[str, Any] | None:
    """(since, next_try, reason, is_tried) of a circuit that is open, or half open: `is_tried`."""
    row = await connection.fetchrow(FIND, endpoint_id, UNTRIED_SECONDS)
    return None if row is None else dict(row)


async def forget(connection: Connection, endpoint_id: str) -> None:
    """The endpoint was changed: the dispatchers try it anew."""
    await connection.execute(FORGET, endpoint_id)


async def forget_old(connection: Connection) -> None:
    """An open circuit is told of at least every five minutes."""
    await connection.execute(FORGET_OLD)
