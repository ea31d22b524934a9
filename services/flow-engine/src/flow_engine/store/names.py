"""Finds contacts by what another program calls them, and their conversations."""

from __future__ import annotations

from collections.abc import Sequence

from flow_engine.store.port import ConversationsOf, Name
from servicekit.loop.batches import Connection

_BY: dict[str, str] = {
    "contact_id": "p.id = u.value::uuid",
    "external_id": "p.external_id = u.value",
    "phone": "p.phone = u.value",
    "email": "p.email = u.value",
}
_FIND = """
SELECT u.bot, u.value, p.id AS contact, c.key
  FROM unnest($1::text[], $2::text[]) u(bot, value)
  JOIN contact p ON p.bot_id = u.bot AND {by}
  LEFT JOIN conversation c ON c.contact_id = p.id
 ORDER BY p.id, c.last_user_at DESC NULLS LAST, c.key
"""


async def find(connection: Connection, wanted: Sequence[Name]) -> dict[Name, ConversationsOf]:
    """The contacts that these names mean; a query for each field that is used."""
    found: dict[Name, ConversationsOf] = {name: {} for name in wanted}
    for field, by in _BY.items():
        names = sorted({name for name in wanted if name.field == field})
        if not names:
            continue
        bots, values = [name.bot_id for name in names], [name.value for name in names]
        for row in await connection.fetch(_FIND.format(by=by), bots, values):
            keys = found[Name(row["bot"], field, row["value"])].setdefault(str(row["contact"]), [])
            if row["key"] is not None:
                keys.append(row["key"])
    return found
