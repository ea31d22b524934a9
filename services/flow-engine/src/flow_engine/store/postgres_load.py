"""What a batch reads: its conversations with their contacts in one query; the rest only when a record asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from flow_engine.state import listeners, stored_state
from flow_engine.state.work import Talk, conversation_id
from flowlang.model import Contact
from servicekit.loop.batches import Connection

LOAD = """
SELECT u.id, c.version, c.state, c.seen, c.listeners, c.last_user_at, c.contact_id,
       p.external_id, p.phone, p.email, p.profile, p.variables, p.tags, p.flags,
       EXISTS (SELECT FROM held h WHERE h.conversation = u.id)
  FROM unnest($1::uuid[]) u(id)
  LEFT JOIN conversation c ON c.id = u.id
  LEFT JOIN contact p ON p.id = c.contact_id
"""
TIMERS = "SELECT id FROM timer WHERE id = ANY ($1::uuid[])"
BACKLOG = """
SELECT seq, id, at, content FROM message
 WHERE conversation = $1 AND seq > $2 AND seq <= $3 AND sender = 'bot' ORDER BY seq LIMIT $4
"""
BACKLOG_LIMIT = 200
"""Messages of one backlog; who needs more attaches again."""


class Loaded:
    """A row of LOAD: what is known of a conversation. `talk` is None when it has never been saved."""

    __slots__ = ("contact", "held", "talk")

    def __init__(self, talk: Talk | None, contact: Contact | None, held: bool) -> None:
        self.talk, self.contact, self.held = talk, contact, held


async def load(connection: Connection, keys: Iterable[str]) -> dict[str, Loaded]:
    """By conversation key, for each of `keys`."""
    ids = {conversation_id(key): key for key in keys}
    rows = await connection.fetch(LOAD, sorted(ids))
    found = {str(row[0]): row for row in rows}
    return {key: _loaded(id, key, found[id]) for id, key in ids.items()}


def _loaded(id: str, key: str, row: Any) -> Loaded:
    if row[1] is None:
        return Loaded(None, None, row[14])
    contact_id = str(row[6]) if row[6] is not None else ""
    conversation = stored_state.decode(row[2], key=key, contact_id=contact_id, version=row[1])
    talk = Talk(id, conversation, row[1], row[3], listeners.load(row[4]), row[14], row[5])
    return Loaded(talk, contact(row) if contact_id and row[10] is not None else None, row[14])


def contact(row: Any) -> Contact:
    """The contact of a row with these columns."""
    profile = orjson.loads(row["profile"])
    for name in ("external_id", "phone", "email"):
        if row[name] is not None:
            profile[name] = row[name]
    return Contact(str(row["contact_id"]), profile, orjson.loads(row["variables"]), row["tags"], row["flags"])


async def timers(connection: Connection, ids: list[str]) -> set[str]:
    """Those of the timers that have a row."""
    return {str(row[0]) for row in await connection.fetch(TIMERS, ids)} if ids else set()


async def backlog(
    connection: Connection, conversation: str, after: int, until: int = 2**31 - 1
) -> list[dict[str, Any]]:
    """The bot's messages with `after` < seq <= `until` as ChatMessage objects, the oldest first."""
    rows = await connection.fetch(BACKLOG, conversation, after, until, BACKLOG_LIMIT)
    return [chat_message(seq, str(id), at, content) for seq, id, at, content in rows]


def chat_message(seq: int, id: str, at: datetime, content: bytes) -> dict[str, Any]:
    """A row of the chat log as contracts.replies.ChatMessage."""
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"seq": seq, "id": id, "at": text, "content": orjson.loads(content)}
