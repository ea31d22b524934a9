"""The chats that a channel has seen: people and groups, in the order of their conversations' ids."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from flow_engine.state import stored_state
from flow_engine.store.inbox import FIRST
from flowlang.model import Conversation
from servicekit.loop.batches import Connection

CANDIDATES = 500
"""How many chats one page looks at where only those of a type are asked for: no index knows it, so a page may hold fewer
than were asked for, or none, and go on."""
READ_AT_ONCE = 50
"""States, of at most 64 KiB each, that are read before something else may go on."""
PAGE = """
SELECT c.id, c.key, c.state, c.version, s.profile ->> 'name' AS title
  FROM (SELECT id, key, state, version, contact_id FROM conversation
         WHERE split_part(key, '/', 1) = $1 AND split_part(key, '/', 2) = $2 AND contact_id IS NOT NULL AND id > $3
         ORDER BY id LIMIT $4) c
  LEFT JOIN contact p ON p.id = c.contact_id LEFT JOIN contact s ON s.id = coalesce(p.merged_into, p.id)
 ORDER BY c.id
"""


class Chat(NamedTuple):
    """`title`: what the group, or the person, is called."""

    id: str
    conversation: Conversation
    title: str | None


class ChatPage(NamedTuple):
    """`next`: the id that the following page begins behind; None: there is none."""

    items: list[Chat]
    next: str | None


async def page(
    connection: Connection, bot_id: str, channel_id: str, type: str | None, after: str | None, limit: int
) -> ChatPage:
    """At most `limit`, from the one behind `after`; of a `type`, private or group, or of both."""
    most = max(CANDIDATES, limit) if type else limit
    rows = await connection.fetch(PAGE, bot_id, channel_id, after or FIRST, most + 1)
    fitting: list[Chat] = []
    behind: str | None = None
    for number, row in enumerate(rows[:most], start=1):
        one = _chat(row)
        behind = one.id
        if type in (None, one.conversation.chat):
            fitting.append(one)
            if len(fitting) > limit:
                return ChatPage(fitting[:limit], fitting[limit - 1].id)
        if number % READ_AT_ONCE == 0:
            await asyncio.sleep(0)
    return ChatPage(fitting, behind if len(rows) > most else None)


def _chat(row: Any) -> Chat:
    read = stored_state.decode(row["state"], key=row["key"], contact_id="", version=row["version"])
    return Chat(str(row["id"]), read, row["title"])
