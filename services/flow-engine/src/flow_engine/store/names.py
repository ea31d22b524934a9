"""Finds the conversations of those whom another program names: by a contact's id, or by a verified identifier."""

from __future__ import annotations

from collections.abc import Sequence

from flow_engine.store.port import Conversations, Name
from servicekit.loop.batches import Connection

_FIND = """
SELECT u.bot, u.field, u.value, c.key
  FROM unnest($1::text[], $2::text[], $3::text[]) u(bot, field, value)
  JOIN contact m ON m.bot_id = u.bot AND m.id = CASE u.field WHEN 'contact_id' THEN u.value::uuid ELSE (
       SELECT i.contact_id FROM identity i WHERE i.bot_id = u.bot AND i.kind = u.field AND i.value = u.value) END
  JOIN LATERAL (SELECT coalesce(m.merged_into, m.id) AS id) p ON true
  JOIN LATERAL (SELECT p.id UNION ALL SELECT o.id FROM contact o WHERE o.merged_into = p.id) theirs(id) ON true
  LEFT JOIN conversation c ON c.contact_id = theirs.id
 ORDER BY c.last_user_at DESC NULLS LAST, c.key
"""


async def find(connection: Connection, wanted: Sequence[Name]) -> dict[Name, Conversations]:
    """By name; who means nobody is left out."""
    found: dict[Name, Conversations] = {}
    names = sorted(set(wanted))
    for row in await connection.fetch(_FIND, *zip(*names, strict=True)) if names else ():
        keys = found.setdefault(Name(row["bot"], row["field"], row["value"]), [])
        if row["key"] is not None:
            keys.append(row["key"])
    return found
