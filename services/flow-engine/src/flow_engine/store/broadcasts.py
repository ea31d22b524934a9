"""Broadcasts as the API makes, shows and stops them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from flow_engine.state.broadcasts import QuietHours, quiet_hours
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

ENDED = ("completed", "cancelled", "expired")


class NewBroadcast(NamedTuple):
    """`variables` and `quiet_hours` are JSON; `digest` stands for the request, where the id follows from a key; `moment` is of the
    schedule that `entry` is, where that made it."""

    id: str
    project_id: str
    bot_id: str
    flow_id: str
    entry: str | None
    variables: bytes
    channel_id: str | None
    segment_id: str | None
    filter: str | None
    rate: float
    quiet_hours: bytes | None
    starts_at: datetime
    until: datetime
    digest: str | None
    moment: datetime | None = None


class Shown(NamedTuple):
    """A broadcast with its counts. `waiting` and `sending` have no outcome yet; `settled` is (outcome, reason, recipients)."""

    id: str
    bot_id: str
    flow_id: str
    entry: str | None
    variables: bytes
    channel_id: str | None
    segment_id: str | None
    rate: float
    quiet_hours: QuietHours | None
    starts_at: datetime
    until: datetime
    state: str
    digest: str | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    moment: datetime | None
    walked: bool
    recipients: int
    sending: int
    settled: list[tuple[str, str, int]]

    @property
    def waiting(self) -> int:
        return self.recipients - self.sending - sum(count for _, _, count in self.settled)


class RecipientShown(NamedTuple):
    """What became of a contact. `due`: until when it is put off."""

    contact_id: str
    outcome: str
    reason: str | None
    due: datetime | None
    at: datetime


_NEW = Columns(
    NewBroadcast, "uuid text text text text bytea text text text float8 bytea timestamptz timestamptz text timestamptz"
)  # fmt: skip
_MAKE = f"""
WITH made AS ({_NEW.insert("broadcast")} ON CONFLICT (id) DO NOTHING RETURNING id)
INSERT INTO broadcast_walk (broadcast) SELECT id FROM made
"""
_COUNTED = """
SELECT b.*, w.walked, w.recipients,
       (SELECT count(*) FROM broadcast_recipient r WHERE r.broadcast = b.id AND r.outcome = 'sending') AS sending,
       (SELECT coalesce(json_agg(json_build_array(outcome, reason, n)), '[]')
          FROM (SELECT outcome, reason, sum(recipients) AS n FROM broadcast_count c WHERE c.broadcast = b.id
                 GROUP BY 1, 2 ORDER BY 1, 2) settled)::text AS settled
"""
_ONE = f"{_COUNTED} FROM broadcast b JOIN broadcast_walk w ON w.broadcast = b.id WHERE b.project_id = $1 AND b.id = $2"
_PAGE = f"""
{_COUNTED}
  FROM broadcast b JOIN broadcast_walk w ON w.broadcast = b.id
 WHERE b.project_id = $1 AND ($2::text IS NULL OR b.bot_id = $2)
   AND ($3::timestamptz IS NULL OR (b.created_at, b.id) < ($3, $4::uuid))
 ORDER BY b.created_at DESC, b.id DESC LIMIT $5
"""
_RECIPIENTS = """
SELECT contact, outcome, reason, due, at FROM broadcast_recipient
 WHERE broadcast = $1 AND contact > $2 ORDER BY contact LIMIT $3
"""
_WITH_OUTCOME = """
SELECT contact, outcome, reason, due, at FROM broadcast_recipient
 WHERE broadcast = $1 AND outcome = $4 AND contact > $2 ORDER BY contact LIMIT $3
"""
_TURN = """
UPDATE broadcast SET state = CASE $3 WHEN 'running' THEN CASE WHEN started_at IS NULL THEN 'scheduled' ELSE 'running' END
                                     ELSE $3 END,
       ended_at = CASE WHEN $3 = 'cancelled' THEN now() END
 WHERE project_id = $1 AND id = $2 AND state = ANY ($4::text[])
"""
_EVENLY = "UPDATE broadcast_walk SET paced_at = greatest(paced_at, now()) WHERE broadcast = $1"
FIRST = "00000000-0000-0000-0000-000000000000"


async def make(connection: Connection, new: NewBroadcast) -> None:
    """Nothing where there is one of this id."""
    await connection.execute(_MAKE, *_NEW.arrays([new]))


async def find(connection: Connection, project_id: str, id: str) -> Shown | None:
    """One of the project's."""
    row = await connection.fetchrow(_ONE, project_id, id)
    return None if row is None else _shown(row)


async def page(
    connection: Connection, project_id: str, bot_id: str | None, after: tuple[datetime, str] | None, limit: int
) -> list[Shown]:
    """The newest first; `after` is the last one's (created_at, id)."""
    at, id = after or (None, None)
    return [_shown(row) for row in await connection.fetch(_PAGE, project_id, bot_id, at, id, limit)]


async def recipients(
    connection: Connection, id: str, outcome: str | None, after: str, limit: int
) -> Sequence[RecipientShown]:
    """In the order of their contacts."""
    given = (id, after, limit)
    rows = await (
        connection.fetch(_RECIPIENTS, *given) if outcome is None else connection.fetch(_WITH_OUTCOME, *given, outcome)
    )
    return [RecipientShown(str(contact), *more) for contact, *more in rows]


async def turn(connection: Connection, project_id: str, id: str, state: str, before: Sequence[str]) -> bool:
    """Make it paused, running or cancelled, from one of these states. False where it was in none of them.

    What a turn has locked is committed before; no turn begins afterwards that does not see it.
    """
    async with connection.transaction():
        done: str = await connection.execute(_TURN, project_id, id, state, list(before))
        if state == "running":
            await connection.execute(_EVENLY, id)
    return done == "UPDATE 1"


def _shown(row: Any) -> Shown:
    import orjson

    told = dict(row) | {
        "id": str(row["id"]),
        "quiet_hours": quiet_hours(row["quiet_hours"]),
        "settled": [(outcome, reason, int(count)) for outcome, reason, count in orjson.loads(row["settled"])],
    }
    return Shown(**{name: told[name] for name in Shown._fields})
