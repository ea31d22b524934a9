"""Recipients of broadcasts in a batch: read with the records that name them, settled in the batch's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from flow_engine.errors import StaleConversation
from flow_engine.state.broadcasts import Broadcast, Recipient, RecipientChange, RecipientKey, quiet_hours
from flow_engine.state.work import Work
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

WALK, ERASED = -1, -2
"""In the place of a partition: what the walk itself has counted, and what erasures have."""
_READ = """
SELECT b.id, r.contact, r.outcome, b.state, b.until <= now() AS is_over, now() AS now, b.variables, b.quiet_hours,
       EXISTS (SELECT FROM broadcast_recipient t
                WHERE t.broadcast = b.id AND t.outcome IN ('started', 'failed')
                  AND t.contact = ANY (ARRAY(SELECT o.id FROM contact o WHERE o.merged_into = r.contact))) AS is_reached
  FROM unnest($1::uuid[], $2::uuid[]) u(broadcast, contact)
  JOIN LATERAL (SELECT * FROM broadcast_recipient WHERE broadcast = u.broadcast AND contact = u.contact OFFSET 0) r ON true
  JOIN broadcast b ON b.id = u.broadcast
"""
"""OFFSET keeps the planner, which knows little of a young broadcast's rows, from reading all of them for each."""
_RUNNING = """
SELECT count(*) FROM (SELECT FROM broadcast WHERE id = ANY ($1::uuid[]) AND state = 'running' ORDER BY id FOR SHARE) locked
"""
CHANGES = Columns(RecipientChange, "uuid uuid int text text timestamptz")
COUNT = """
INSERT INTO broadcast_count SELECT broadcast, part, outcome, coalesce(reason, ''), count(*) FROM {changed}
 WHERE outcome NOT IN ('waiting', 'sending') GROUP BY 1, 2, 3, 4
ON CONFLICT (broadcast, part, outcome, reason) DO UPDATE SET recipients = broadcast_count.recipients + excluded.recipients
"""
_SETTLE = f"""
WITH open AS MATERIALIZED (
    SELECT t.ctid AS place, u.* FROM {CHANGES.unnest()} CROSS JOIN LATERAL (
        SELECT ctid FROM broadcast_recipient
         WHERE broadcast = u.broadcast AND contact = u.contact AND outcome IN ('waiting', 'sending') FOR UPDATE
    ) t
), changed AS (
    UPDATE broadcast_recipient r SET outcome = open.outcome, reason = open.reason, due = open.due, at = now()
      FROM open WHERE r.ctid = open.place
 RETURNING r.broadcast, open.part, r.outcome, r.reason
), counted AS ({COUNT.format(changed="changed")})
SELECT count(*) FROM changed
"""

_ERASE = f"""
WITH gone AS (
    DELETE FROM broadcast_recipient WHERE contact = ANY ($1::uuid[]) RETURNING broadcast, outcome
), changed AS (
    SELECT broadcast, {ERASED} AS part, 'skipped' AS outcome, 'erased' AS reason FROM gone WHERE outcome IN ('waiting', 'sending')
)
{COUNT.format(changed="changed")}
"""


async def erase(connection: Connection, contact_ids: Sequence[str]) -> None:
    """Nothing more is sent to these contacts, and no row of them is left; how many were not sent to is counted."""
    await connection.execute(_ERASE, list(contact_ids))


async def read(connection: Connection, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Recipient]:
    """Those that have a row."""
    rows = await connection.fetch(_READ, *zip(*keys, strict=True)) if keys else ()
    return {RecipientKey(str(row["id"]), str(row["contact"])): _recipient(row) for row in rows}


def _recipient(row: Any) -> Recipient:
    broadcast = Broadcast(
        row["state"], row["is_over"], row["now"], row["variables"], quiet_hours(row["quiet_hours"])
    )  # fmt: skip
    return Recipient(row["outcome"], row["is_reached"], broadcast)


async def save(work: Work, connection: Connection) -> None:
    """Settle them. Raises StaleConversation where one was settled, or a broadcast stopped, since they were read."""
    if not work.recipient_changes:
        return
    begun = sorted(work.begun)
    if begun and await connection.fetchval(_RUNNING, begun) != len(begun):
        raise StaleConversation("a broadcast was paused, cancelled or ended since it was read")
    changes = sorted(work.recipient_changes.values())
    if await connection.fetchval(_SETTLE, *CHANGES.arrays(changes)) != len(changes):
        raise StaleConversation("a recipient of a broadcast was settled since it was read")


class Settled(NamedTuple):
    """How many recipients have an outcome."""

    outcome: str
    reason: str | None
    recipients: int
