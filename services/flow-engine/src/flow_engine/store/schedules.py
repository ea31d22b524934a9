"""How far schedules have come, and the end of the broadcasts that they made."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from flow_engine.state.schedules import Plan
from servicekit.loop.batches import Connection

KEPT_DAYS = 8
"""A schedule's broadcast and its recipients are kept so long after its end."""
FORGOTTEN_AT_ONCE = 2000
_MAKE = """
INSERT INTO schedule (flow_id, trigger, project_id, bot_id, last) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_HOLD = "SELECT last FROM schedule WHERE flow_id = $1 AND trigger = $2 FOR UPDATE"
_ADVANCE = "UPDATE schedule SET last = $3, skipped = skipped + $4 WHERE flow_id = $1 AND trigger = $2"
_LONG_SETTLED = "SELECT DISTINCT flow_id FROM schedule WHERE last < now() - make_interval(days => 1)"
_FORGET_FLOWS = "DELETE FROM schedule WHERE flow_id = ANY ($1) AND last < now() - make_interval(days => 1)"
_OVER = """
SELECT b.id FROM broadcast b JOIN broadcast_walk w ON w.broadcast = b.id
 WHERE b.moment IS NOT NULL AND b.ended_at < now() - make_interval(days => $1) AND w.closed
 ORDER BY b.ended_at LIMIT 1 FOR UPDATE OF b SKIP LOCKED
"""
_FORGET_RECIPIENTS = """
DELETE FROM broadcast_recipient WHERE broadcast = $1
   AND contact IN (SELECT contact FROM broadcast_recipient WHERE broadcast = $1 LIMIT $2)
"""
_FORGET = (
    "DELETE FROM broadcast_count WHERE broadcast = $1",
    "DELETE FROM broadcast_walk WHERE broadcast = $1",
    "DELETE FROM broadcast WHERE id = $1",
)


async def clock(connection: Connection) -> datetime:
    """PostgreSQL's."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def hold(connection: Connection, plan: Plan) -> datetime:
    """Up to which moment it is settled. Until the transaction ends, nobody else settles more of it."""
    flow = plan.flow
    await connection.execute(_MAKE, *plan.key, flow.project_id, flow.bot_id, plan.since)
    last: datetime = await connection.fetchval(_HOLD, *plan.key)
    return last


async def advance(connection: Connection, plan: Plan, last: datetime, skipped: int) -> None:
    """It is settled up to there."""
    await connection.execute(_ADVANCE, *plan.key, last, skipped)


async def forget_flows(connection: Connection, is_known: Callable[[str], bool]) -> None:
    """Delete what is kept of flows that nobody knows any more. A day is longer than any view is behind the registry."""
    rows = await connection.fetch(_LONG_SETTLED)
    gone = [row["flow_id"] for row in rows if not is_known(row["flow_id"])]
    if gone:
        await connection.execute(_FORGET_FLOWS, gone)


async def forget_one(connection: Connection) -> bool:
    """Delete some of a broadcast of a schedule that ended long ago; whether there may be more."""
    async with connection.transaction():
        id = await connection.fetchval(_OVER, KEPT_DAYS)
        if id is None:
            return False
        done: str = await connection.execute(_FORGET_RECIPIENTS, id, FORGOTTEN_AT_ONCE)
        if done != f"DELETE {FORGOTTEN_AT_ONCE}":
            for statement in _FORGET:
                await connection.execute(statement, id)
    return True
