"""Timers. A fired one's row stays until a turn applies its event: an event without a row does nothing."""

from __future__ import annotations

from typing import Any

from flow_engine.state.rows import TimerRow
from flow_engine.store.port import DueTimers, FiredTimer
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

TIMERS = Columns(TimerRow, "uuid int text text text timestamptz")
START = f"{TIMERS.insert('timer')} ON CONFLICT (id) DO UPDATE SET due = EXCLUDED.due, fired_at = NULL"
END = "DELETE FROM timer WHERE id = ANY ($1::uuid[])"
_PRESENT = "SELECT id FROM timer WHERE id = ANY ($1::uuid[])"
_DUE = """
SELECT p.part,
       (SELECT count(*) FROM (SELECT FROM timer WHERE part = p.part AND fired_at IS NULL AND due <= now() LIMIT 1000) d)
       AS due,
       (SELECT extract(epoch FROM min(due) - now())::float8 FROM timer WHERE part = p.part AND fired_at IS NULL)
       AS seconds
  FROM unnest($1::int[]) p(part)
"""
LOOKED_AT = 5000
"""Due timers of a partition that are put in turn as they are. Where there are more, they may be one project's: then those with
timers are gone through one after the other, by an index, and the earliest of each are taken."""
_FIRE = f"""
WITH RECURSIVE longest_due AS MATERIALIZED (
    SELECT id, due, project_id FROM timer WHERE part = $1 AND fired_at IS NULL AND due <= now()
     ORDER BY due LIMIT {LOOKED_AT}
), project AS (
    (SELECT project_id AS id FROM timer
      WHERE part = $1 AND fired_at IS NULL AND (SELECT count(*) FROM longest_due) = {LOOKED_AT}
      ORDER BY project_id LIMIT 1)
    UNION ALL
    SELECT (SELECT project_id FROM timer WHERE part = $1 AND fired_at IS NULL AND project_id > project.id
             ORDER BY project_id LIMIT 1)
      FROM project WHERE project.id IS NOT NULL
), found AS (
    SELECT id, due, project_id FROM longest_due
    UNION
    SELECT earliest.* FROM project CROSS JOIN LATERAL (
        SELECT id, due, project_id FROM timer
         WHERE part = $1 AND fired_at IS NULL AND project_id = project.id AND due <= now() ORDER BY due LIMIT $3
    ) earliest
)
UPDATE timer SET fired_at = now()
 WHERE id IN (
    SELECT id FROM (
        SELECT id, due, row_number() OVER (PARTITION BY project_id ORDER BY due) AS turn FROM found
    ) in_turn
     WHERE turn <= $3 ORDER BY turn, due LIMIT $2
)
RETURNING id, key, project_id, wait
"""

_LOST = """
part = ANY ($1) AND fired_at < now() - make_interval(secs => $2)
AND NOT EXISTS (SELECT FROM held WHERE held.key = convert_to(timer.key, 'UTF8'))
"""
_WITH_LOST = f"SELECT DISTINCT part FROM timer WHERE {_LOST}"
_FIRE_LOST = f"""
UPDATE timer SET fired_at = now()
 WHERE id IN (SELECT id FROM timer WHERE {_LOST} ORDER BY fired_at LIMIT $3)
RETURNING id, key, project_id, wait
"""


async def present(connection: Connection, ids: list[str]) -> set[str]:
    """Those of the timers that have a row."""
    return {str(row["id"]) for row in await connection.fetch(_PRESENT, ids)} if ids else set()


async def due(connection: Connection, parts: list[int]) -> list[DueTimers]:
    """For each of the partitions."""
    return [DueTimers(row["part"], row["due"], row["seconds"]) for row in await connection.fetch(_DUE, parts)]


async def fire(connection: Connection, part: int, limit: int, each: int) -> list[FiredTimer]:
    """Mark those that are due, of each project one after the other, the earliest first, at most `each`.

    A backlog of a million costs no more than one of LOOKED_AT.
    """
    return _fired(await connection.fetch(_FIRE, part, limit, each))


async def with_lost(connection: Connection, parts: list[int], seconds: float) -> list[int]:
    """Those of the partitions that have timers which were fired that long ago, and whose conversation is not held."""
    return sorted(row["part"] for row in await connection.fetch(_WITH_LOST, parts, seconds))


async def fire_lost(connection: Connection, part: int, limit: int, seconds: float) -> list[FiredTimer]:
    """Mark these once more, those that were fired first."""
    return _fired(await connection.fetch(_FIRE_LOST, [part], seconds, limit))


def _fired(rows: list[Any]) -> list[FiredTimer]:
    return [FiredTimer(str(row["id"]), row["key"], row["project_id"], row["wait"]) for row in rows]
