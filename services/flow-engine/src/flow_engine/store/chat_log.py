"""The chat log as the data API lists it: of a bot in the order of time, of a contact one conversation after the other.

Within a conversation both are the order in which it was said.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from servicekit.loop.batches import Connection

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "conversation, seq, place, sender, id, at, content"
_SHOWN = """
SELECT m.*, c.key, coalesce(p.merged_into, c.contact_id) AS contact_id
  FROM ({lines}) m LEFT JOIN conversation c ON c.id = m.conversation LEFT JOIN contact p ON p.id = c.contact_id
 ORDER BY {order}
"""
_OF_BOT = f"""
SELECT {_COLUMNS} FROM message
 WHERE bot_id = $1 AND at >= $2 AND (at, conversation, seq, place) > ($3, $4, $5, $6) AND saved_on >= $3::date - 2
 ORDER BY at, conversation, seq, place LIMIT $7
"""
"""A message is saved after it came, by a clock that differs by less than a day."""
_OF_CONTACT = f"""
SELECT {_COLUMNS} FROM message
 WHERE conversation IN (
       SELECT c.id FROM conversation c JOIN contact p ON p.id = c.contact_id
        WHERE p.bot_id = $1 AND (p.id = $8 OR p.merged_into = $8))
   AND at >= $2 AND $3::timestamptz IS NOT NULL AND (conversation, seq, place) > ($4, $5, $6) AND saved_on >= $2::date - 2
 ORDER BY conversation, seq, place LIMIT $7
"""
OF_BOT = _SHOWN.format(lines=_OF_BOT, order="at, conversation, seq, place")
OF_CONTACT = _SHOWN.format(lines=_OF_CONTACT, order="conversation, seq, place")


class LinePlace(NamedTuple):
    """Where a page ends."""

    at: datetime
    conversation: str
    seq: int
    place: int


class Line(NamedTuple):
    """A line of the chat log. `content`: JSON. `key` and `contact_id`: None for a conversation that is gone."""

    conversation: str
    seq: int
    place: int
    sender: str
    id: str
    at: datetime
    content: bytes
    key: str | None
    contact_id: str | None


_OF_CONVERSATION = f"""
SELECT {_COLUMNS} FROM message WHERE conversation = $1 AND (seq, place) < ($2, $3) ORDER BY seq DESC, place DESC LIMIT $4
"""
OF_CONVERSATION = _SHOWN.format(lines=_OF_CONVERSATION, order="seq DESC, place DESC")
LAST = (2**31 - 1, 2**63 - 1)
_FIRST = LinePlace(BEGINNING, "00000000-0000-0000-0000-000000000000", -1, -1)


async def lines(
    connection: Connection,
    bot_id: str,
    *,
    contact_id: str | None,
    since: datetime | None,
    after: LinePlace | None,
    limit: int,
) -> list[Line]:
    """At most `limit` lines behind a place, of a bot or of one contact of it."""
    begin = since or BEGINNING
    at, *rest = after or _FIRST
    given = (bot_id, begin, max(at, begin), *rest, limit)
    rows = await (
        connection.fetch(OF_BOT, *given) if contact_id is None else connection.fetch(OF_CONTACT, *given, contact_id)
    )
    return _lines(rows)


async def newest(connection: Connection, conversation: str, before: tuple[int, int] | None, limit: int) -> list[Line]:
    """At most `limit` lines of a conversation before a (seq, place), the newest first."""
    return _lines(await connection.fetch(OF_CONVERSATION, conversation, *(before or LAST), limit))


def _lines(rows: list[Any]) -> list[Line]:
    return [
        Line(
            str(row["conversation"]), row["seq"], row["place"], row["sender"], str(row["id"]), row["at"], row["content"],
            row["key"], row["contact_id"] and str(row["contact_id"]),
        )
        for row in rows
    ]  # fmt: skip
