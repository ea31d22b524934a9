"""What the walk of a broadcast reads and writes. Due times, leases and rates are by PostgreSQL's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from flow_engine.state.broadcasts import Place, QuietHours, quiet_hours
from flow_engine.store.contact_lists import CONVERSATIONS
from flow_engine.store.recipients import COUNT, WALK
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

LEASE_SECONDS = 6.0
LOST_SECONDS = 600.0
"""A record that was written so long ago and did nothing, although its conversation is not held, is written again."""
MOST_PLACES = 20
"""Conversations of one contact that are looked at, those last used."""
CLOSED_AT_ONCE = 1000


class Walk(NamedTuple):
    """A broadcast in the hands of this process. `seconds`: since the next recipient was due by the rate.

    `sending`: how many have a record on inbound that is not applied, or more, those in held conversations not counted; `has_due`:
    whether somebody was put off until now or before. `moment`: of the schedule that made it.
    """

    id: str
    project_id: str
    bot_id: str
    flow_id: str
    entry: str | None
    channel_id: str | None
    filter: str | None
    rate: float
    quiet_hours: QuietHours | None
    state: str
    is_over: bool
    bound: str | None
    last: str | None
    walked: bool
    seconds: float
    now: datetime
    sending: int
    has_due: bool
    moment: datetime | None = None

    @property
    def place(self) -> str:
        """Behind which contact it goes on."""
        place = self.last or self.bound
        assert place is not None, "a walk that has begun has a bound"
        return place


class Person(NamedTuple):
    """A contact whom the walk has come to, or who was put off. `is_reached`: as a contact that was merged into this one: it was begun with."""

    id: str
    merged_into: str | None
    timezone: Any
    is_reached: bool
    places: list[Place]


class Step(NamedTuple):
    """What is noted of a contact. `is_new`: it has no row yet."""

    contact: str
    outcome: str
    reason: str | None
    conversation: str | None
    due: datetime | None
    is_new: bool


class LostWalk(Exception):
    """Another process has the walk by now, or the broadcast does not run any more."""


_LEASE = """
WITH free AS MATERIALIZED (
    SELECT w.broadcast FROM broadcast_walk w JOIN broadcast b ON b.id = w.broadcast
     WHERE NOT w.closed AND (b.state IN ('running', 'cancelled', 'expired') OR b.state = 'scheduled' AND b.starts_at <= now())
       AND (w.owner = $1 AND w.lease_until < now() + make_interval(secs => $2 / 2) OR w.lease_until < now())
     ORDER BY w.lease_until LIMIT $3 FOR UPDATE OF w SKIP LOCKED
)
UPDATE broadcast_walk w SET owner = $1, lease_until = now() + make_interval(secs => $2)
  FROM free WHERE w.broadcast = free.broadcast
"""
_MINE = """
SELECT b.id, b.project_id, b.bot_id, b.flow_id, b.entry, b.channel_id, b.filter, b.rate, b.quiet_hours, b.state, b.until <= now() AS is_over,
       w.bound, w.last, w.walked, extract(epoch FROM now() - w.paced_at)::float8 AS seconds, now() AS now,
       (SELECT count(*) FROM (
            SELECT FROM broadcast_recipient r WHERE r.broadcast = b.id AND r.outcome = 'sending'
               AND NOT EXISTS (SELECT FROM held h WHERE h.conversation = r.conversation) LIMIT $2) unsettled) AS sending,
       EXISTS (SELECT FROM broadcast_recipient r WHERE r.broadcast = b.id AND r.outcome = 'waiting' AND r.due <= now()) AS has_due,
       b.moment
  FROM broadcast_walk w JOIN broadcast b ON b.id = w.broadcast
 WHERE NOT w.closed AND w.owner = $1 AND w.lease_until > now() AND b.state NOT IN ('paused', 'completed')
 ORDER BY b.id
"""
_BEGIN = """
WITH begun AS (
    UPDATE broadcast SET state = 'running', started_at = now() WHERE id = $1 AND state = 'scheduled' RETURNING id
)
UPDATE broadcast_walk SET paced_at = now(), bound = $2 FROM begun WHERE broadcast = begun.id
"""
_EXPIRE = "UPDATE broadcast SET state = 'expired', ended_at = now() WHERE id = $1 AND state IN ('scheduled', 'running')"
_LOST = """
UPDATE broadcast_recipient r SET outcome = 'waiting', due = now()
 WHERE r.broadcast = $1 AND r.outcome = 'sending' AND r.at < now() - make_interval(secs => $2)
   AND NOT EXISTS (SELECT FROM held h WHERE h.conversation = r.conversation)
"""
_IS_OPEN = "SELECT EXISTS (SELECT FROM broadcast_recipient WHERE broadcast = $1 AND outcome IN ('waiting', 'sending'))"
_COMPLETE = """
WITH done AS (
    UPDATE broadcast SET state = 'completed', ended_at = now() WHERE id = $1 AND state = 'running' RETURNING id
)
UPDATE broadcast_walk SET closed = true, last = NULL FROM done WHERE broadcast = done.id
"""
_PERSON = """
c.merged_into, c.profile ->> 'timezone' AS timezone,
EXISTS (SELECT FROM broadcast_recipient r
         WHERE r.broadcast = $1 AND r.outcome IN ('started', 'failed') AND r.contact = ANY (ARRAY(SELECT o.id FROM contact o WHERE o.merged_into = c.id))) AS is_reached
"""
"""The array keeps the planner from reading all recipients, or all contacts, for each contact."""
_PAGE = f"""
SELECT c.id, {_PERSON} FROM contact c
 WHERE c.bot_id = $2 AND c.merged_into IS NULL AND c.id < $3 ORDER BY c.id DESC LIMIT $4
"""
_DUE = f"""
SELECT waiting.contact AS id, {_PERSON} FROM (
    SELECT contact FROM broadcast_recipient WHERE broadcast = $1 AND outcome = 'waiting' AND due <= now() ORDER BY due LIMIT $2
) waiting LEFT JOIN contact c ON c.id = waiting.contact
"""
_BY_ID = f"SELECT c.id, {_PERSON} FROM contact c WHERE c.id = ANY ($2::uuid[])"
_ADVANCE = """
WITH running AS (SELECT FROM broadcast WHERE id = $1 AND state = 'running' FOR SHARE)
UPDATE broadcast_walk SET last = $3, walked = $4, paced_at = greatest(paced_at, now() - make_interval(secs => $6))
                                                             + make_interval(secs => $5)
 WHERE broadcast = $1 AND owner = $2 AND last IS NOT DISTINCT FROM $7::uuid AND EXISTS (SELECT FROM running)
"""
STEPS = Columns(Step, "uuid text text uuid timestamptz bool")
_NOTE = f"""
WITH step AS MATERIALIZED (SELECT * FROM {STEPS.unnest(after=1)}), made AS (
    INSERT INTO broadcast_recipient (broadcast, contact, outcome, reason, conversation, due)
    SELECT $1, contact, outcome, reason, conversation, due
      FROM step CROSS JOIN LATERAL (SELECT FROM contact WHERE id = step.contact FOR KEY SHARE) there
     WHERE is_new
        ON CONFLICT DO NOTHING
 RETURNING broadcast, contact, outcome, reason
), gone_on AS (
    UPDATE broadcast_recipient r
       SET outcome = step.outcome, reason = step.reason, conversation = step.conversation, due = step.due, at = now()
      FROM step WHERE r.broadcast = $1 AND r.contact = step.contact AND NOT step.is_new AND r.outcome = 'waiting'
 RETURNING r.broadcast, r.contact, r.outcome, r.reason
), changed AS (
    SELECT broadcast, {WALK} AS part, outcome, reason FROM (SELECT * FROM made UNION ALL SELECT * FROM gone_on) both_kinds
), counted AS ({COUNT.format(changed="changed")}), grown AS (
    UPDATE broadcast_walk SET recipients = recipients + (SELECT count(*) FROM made) WHERE broadcast = $1
)
SELECT contact FROM made WHERE outcome = 'sending' UNION ALL SELECT contact FROM gone_on WHERE outcome = 'sending'
"""
_CLOSE = f"""
WITH changed AS (
    UPDATE broadcast_recipient SET outcome = 'cancelled', reason = $2, due = NULL, at = now()
     WHERE broadcast = $1 AND contact IN (
           SELECT contact FROM broadcast_recipient WHERE broadcast = $1 AND outcome = 'waiting' LIMIT $3)
       AND outcome = 'waiting'
 RETURNING broadcast, {WALK} AS part, outcome, reason
), counted AS ({COUNT.format(changed="changed")})
SELECT count(*) FROM changed
"""
_CLOSED = """
UPDATE broadcast_walk SET closed = true, last = NULL
 WHERE broadcast = $1
   AND NOT EXISTS (SELECT FROM broadcast_recipient WHERE broadcast = $1 AND outcome IN ('waiting', 'sending'))
"""


class _State(msgspec.Struct):
    """What is read of a conversation's state."""

    reachable: str = "unknown"
    opted_out: bool = False
    chat: str = "private"


_states = msgspec.json.Decoder(_State)


async def lease(connection: Connection, owner: str, most: int) -> None:
    """Take broadcasts that nobody walks, and keep those that this process has."""
    await connection.execute(_LEASE, owner, LEASE_SECONDS, most)


async def mine(connection: Connection, owner: str, most_sending: int) -> list[Walk]:
    """The broadcasts that this process walks. Of those on their way no more are counted than `most_sending`."""
    return [_walk(row) for row in await connection.fetch(_MINE, owner, most_sending)]


async def begin(connection: Connection, id: str, bound: str) -> None:
    """Its moment has come: who is in it is settled."""
    await connection.execute(_BEGIN, id, bound)


async def expire(connection: Connection, id: str) -> None:
    """Its time is over."""
    await connection.execute(_EXPIRE, id)


async def close(connection: Connection, id: str, reason: str) -> None:
    """Cancel those who wait, of a broadcast that is cancelled or expired; when nobody is on the way either it is closed."""
    while await connection.fetchval(_CLOSE, id, reason, CLOSED_AT_ONCE) == CLOSED_AT_ONCE:
        pass
    await connection.execute(_CLOSED, id)


async def complete(connection: Connection, id: str) -> None:
    """All have been walked: it is completed when nobody waits any more."""
    if not await connection.fetchval(_IS_OPEN, id):
        await connection.execute(_COMPLETE, id)


async def find_lost(connection: Connection, id: str) -> None:
    """Put those back whose record has done nothing for long."""
    await connection.execute(_LOST, id, LOST_SECONDS)


async def due(connection: Connection, walk: Walk, most: int) -> list[Person]:
    """Who was put off until now or before; who is there no more has no place."""
    return await _persons(connection, await connection.fetch(_DUE, walk.id, most))


async def page(connection: Connection, walk: Walk, most: int) -> list[Person]:
    """Who comes next, who was made last first."""
    rows = await connection.fetch(_PAGE, walk.id, walk.bot_id, walk.place, most)
    return await _persons(connection, rows)


async def by_id(connection: Connection, walk: Walk, ids: Sequence[str]) -> list[Person]:
    """These contacts, as far as they are there, in this order."""
    rows = await connection.fetch(_BY_ID, walk.id, list(ids)) if ids else ()
    found = {person.id: person for person in await _persons(connection, rows)}
    return [found[id] for id in ids if id in found]


async def _persons(connection: Connection, rows: Sequence[Any]) -> list[Person]:
    places: dict[Any, list[Place]] = {row["id"]: [] for row in rows}
    for row in await connection.fetch(CONVERSATIONS, list(places), MOST_PLACES) if places else ():
        state = _states.decode(row["state"])
        places[row["owner"]].append(
            Place(row["key"], state.reachable, state.opted_out, state.chat, row["last_user_at"])
        )
    return [
        Person(
            str(row["id"]), str(row["merged_into"]) if row["merged_into"] else None, row["timezone"], row["is_reached"],
            places[row["id"]],
        )
        for row in rows
    ]  # fmt: skip


async def advance(
    connection: Connection, owner: str, walk: Walk, last: str | None, *, walked: bool, spent: float, most: float
) -> None:
    """Take the walk further, as part of the transaction that is open. Raises LostWalk.

    `spent`: seconds of its rate; what it has saved up beyond `most` seconds is lost.
    """
    done = await connection.execute(_ADVANCE, walk.id, owner, last, walked, spent, most, walk.last)
    if done != "UPDATE 1":
        raise LostWalk


async def note(connection: Connection, id: str, steps: Sequence[Step]) -> set[str]:
    """Note what is done of these contacts; those of them whom a record is written for.

    Who has a row already gets none, and neither does who is erased meanwhile.
    """
    rows = await connection.fetch(_NOTE, id, *STEPS.arrays(steps)) if steps else ()
    return {str(row["contact"]) for row in rows}


def _walk(row: Any) -> Walk:
    told = dict(row) | {"id": str(row["id"]), "quiet_hours": quiet_hours(row["quiet_hours"])}
    for name in ("bound", "last"):
        told[name] = str(told[name]) if told[name] is not None else None
    told["seconds"] = told["seconds"] or 0.0
    return Walk(**{name: told[name] for name in Walk._fields})
