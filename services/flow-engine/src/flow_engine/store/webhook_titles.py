"""The titles of webhooks that were received about contacts: a set that only grows, kept beside what turns change."""

from __future__ import annotations

from collections.abc import Set
from uuid import UUID

from flow_engine.state.limits import MOST_TITLES
from servicekit.loop.batches import Connection

_ADD = f"""
WITH told AS (
    SELECT coalesce(m.merged_into, m.id) AS id, array_agg(DISTINCT u.title) AS titles
      FROM unnest($1::uuid[], $2::text[]) u(id, title) JOIN contact m ON m.id = u.id GROUP BY 1
), locked AS MATERIALIZED (
    SELECT c.id, told.titles FROM told JOIN contact c ON c.id = told.id
     WHERE NOT told.titles <@ c.webhook_titles AND cardinality(c.webhook_titles) < {MOST_TITLES}
     ORDER BY c.id FOR NO KEY UPDATE OF c
)
UPDATE contact c
   SET webhook_titles = (changed_set(c.webhook_titles, to_jsonb(locked.titles), NULL))[1:{MOST_TITLES}], version = c.version + 1
  FROM locked WHERE c.id = locked.id
RETURNING c.id, c.merged_into
"""
_JOIN = f"""
UPDATE contact c SET webhook_titles = (changed_set(c.webhook_titles, to_jsonb(gone.webhook_titles), NULL))[1:{MOST_TITLES}]
  FROM contact gone WHERE c.id = $2 AND gone.id = $1
"""


async def add(told: Set[tuple[str, str]], connection: Connection) -> None:
    """These (contact id, title) have been received; of a contact that was merged, by who it is now."""
    while told:
        ids, titles = zip(*sorted(told), strict=True)
        rows = await connection.fetch(_ADD, ids, titles)
        gone = {str(row["id"]) for row in rows if row["merged_into"] is not None}
        told = {
            one for one in told if one[0] in gone
        }  # Merged while this waited for its row: the survivor gets them, too.


async def join(gone: UUID, survivor: UUID, connection: Connection) -> None:
    """The survivor of a merge has what either had."""
    await connection.execute(_JOIN, gone, survivor)
