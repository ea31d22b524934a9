"""What was said in a conversation, as a language model is shown it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from servicekit.loop.batches import Connection

HISTORY_BYTES = 16 * 1024
"""Of the texts together; older messages are left out."""
LONGEST_MESSAGE = 2_000
"""Characters of one."""
_SAID = """
SELECT sender, content FROM message
 WHERE conversation = $1 AND place < $3 AND id <> $4 AND sender IN ('person', 'bot', 'agent')
 ORDER BY seq DESC, place DESC LIMIT $2
"""
"""What comes after `place` by then was said since the question was asked: a few rows that are passed over."""


async def said(
    connection: Connection, conversation: str, limit: int, before: int, without: str
) -> list[dict[str, str]]:
    """See store.port.Reads."""
    rows = await connection.fetch(_SAID, conversation, limit, before, without)
    return shown((row["sender"], orjson.loads(row["content"])) for row in rows)


def shown(newest_first: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, str]]:
    """(sender, content) of lines of the chat log as {role, text}, the oldest first; those without text are left out."""
    messages, size = list[dict[str, str]](), 0
    for sender, content in newest_first:
        text = str(content.get("text") or "")[:LONGEST_MESSAGE]
        size += len(text.encode())
        if size > HISTORY_BYTES:
            break
        if text:
            messages.append({"role": "user" if sender == "person" else "assistant", "text": text})
    return messages[::-1]
