"""What a batch reads of conversations: in one query with their contacts; the rest only when a record asks for it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from flow_engine.state import listeners, stored_state
from flow_engine.state.ids import conversation_id
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.state.work import Erased, LoadedConversation
from flow_engine.store import erasures
from flow_engine.store.port import BACKLOG_LIMIT, StoredConversation
from flowlang.model import Contact
from servicekit.columns import Array
from servicekit.loop.batches import Connection

LOAD = """
SELECT u.id, c.version, c.state, c.seen, c.listeners, c.last_user_at, c.contact_id,
       p.external_id, p.phone, p.email, p.profile, p.variables, p.tags, p.flags, p.webhook_titles, p.merged_into,
       (SELECT true FROM held h WHERE h.conversation = u.id LIMIT 1) IS NOT NULL AS held,
       e.before, e.version AS erased_version, e.next_seq, e.seen AS erased_seen
  FROM unnest($1::uuid[], $2::bytea[]) u(id, pseudonym)
  LEFT JOIN conversation c ON c.id = u.id
  LEFT JOIN contact p ON p.id = c.contact_id
  LEFT JOIN erased e ON e.pseudonym = u.pseudonym
"""
SURVIVORS = """
SELECT id AS contact_id, external_id, phone, email, profile, variables, tags, flags, webhook_titles FROM contact WHERE id = ANY ($1::uuid[])
"""
BACKLOG = """
SELECT seq, id, at, content
  FROM (SELECT *, sum(octet_length(content)) OVER (ORDER BY seq) - octet_length(content) AS bytes_before
          FROM (SELECT seq, id, at, content FROM message
                 WHERE conversation = $1 AND seq > $2 AND seq <= $3 AND sender IN ('bot', 'agent') ORDER BY seq LIMIT $4) first) found
 WHERE bytes_before = 0 OR bytes_before + octet_length(content) <= $5 ORDER BY seq
"""
LAST_SEQ = 2**31 - 1


async def load(connection: Connection, keys: Iterable[str], pseudonyms: Pseudonyms) -> dict[str, StoredConversation]:
    """By conversation key, for each of `keys`."""
    ids = {conversation_id(key): key for key in keys}
    wanted = sorted(ids)
    arrays = Array(wanted), Array([pseudonyms.of_conversation(ids[id]) for id in wanted])
    rows = await connection.fetch(LOAD, *arrays) if ids else []
    before = await erasures.find(connection, pseudonyms.known(ids.values())) if pseudonyms.has_former else {}
    found = {str(row["id"]): row for row in rows}
    merged = {row["merged_into"] for row in rows} - {None}
    survivors = {row["contact_id"]: row for row in await connection.fetch(SURVIVORS, list(merged))} if merged else {}
    return {
        key: _stored(id, key, row := found[id], survivors.get(row["merged_into"], row), before.get(key))
        for id, key in ids.items()
    }


def _stored(id: str, key: str, row: Any, person: Any, erased: Erased | None) -> StoredConversation:
    """`person` has the contact's columns: the row itself, or who its contact was merged into."""
    held: bool = row["held"]
    if row["before"] is not None:
        erased = Erased(row["before"], row["erased_version"], row["next_seq"], row["erased_seen"])
    if row["version"] is None:
        return StoredConversation(None, None, held, erased)
    contact_id = str(person["contact_id"]) if person["contact_id"] is not None else ""
    conversation = stored_state.decode(row["state"], key=key, contact_id=contact_id, version=row["version"])
    loaded = LoadedConversation(
        id,
        conversation,
        row["version"],
        row["seen"],
        listeners.load(row["listeners"]),
        held,
        row["last_user_at"],
    )
    return StoredConversation(loaded, contact_of(person) if person["profile"] is not None else None, held, erased)


def contact_of(row: Any) -> Contact:
    """The contact of a row with `contact_id` and the columns of the table."""
    profile = orjson.loads(row["profile"])
    for name in ("external_id", "phone", "email"):
        if row[name] is not None:
            profile[name] = row[name]
    variables = orjson.loads(row["variables"])
    return Contact(str(row["contact_id"]), profile, variables, row["tags"], row["flags"], row["webhook_titles"])


async def backlog(
    connection: Connection, conversation: str, after: int, until: int = LAST_SEQ, most_bytes: int = 2**31
) -> list[dict[str, Any]]:
    """The bot's and agents' messages with `after` < seq <= `until` as ChatMessage objects, the oldest first."""
    rows = await connection.fetch(BACKLOG, conversation, after, until, BACKLOG_LIMIT, most_bytes)
    return [chat_message(seq, str(id), at, content) for seq, id, at, content in rows]


def chat_message(seq: int, id: str, at: datetime, content: bytes) -> dict[str, Any]:
    """A row of the chat log as contracts.replies.ChatMessage."""
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    said = orjson.loads(content)
    agent = {"agent": said.pop("agent")} if "agent" in said else {}
    return {"seq": seq, "id": id, "at": text, "content": said, **agent}
