"""What a conversation may keep: its sessions' memories while they are written, and all of it when a session comes to rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from flowlang.expressions.values import json_size
from flowlang.model import Conversation, Session
from flowlang.problems import NodeError

MEMORY_LIMIT = 40 * 1024
"""Bytes as JSON, of a session and those that it interrupted, with all their frames."""
RESTING_LIMIT = 54 * 1024
"""Bytes as JSON, of all that a conversation holds when a session comes to rest: its memory, and what an `ai` node waits with."""
KEPT_LIMIT = 60 * 1024
"""The same with what arrives before it goes on: the last message and what is queued. With its few other fields it has 64 KiB."""
Changes = dict[tuple[str, str], tuple[Any, Any]]
"""Turn.memory_changes"""


def size_with(conversation: Conversation, session: Session, written: dict[str, Any], known: int) -> int:
    """Bytes of the memory once the session has these values. `known`: its bytes until now, -1: not counted. Raises NodeError past
    the limit."""
    grown = (_size(conversation, session, session.memory) if known < 0 else known) + json_size(written)
    if grown > MEMORY_LIMIT:  # Counted exactly: what is overwritten has gone, and so may what was interrupted.
        grown = _size(conversation, session, {**session.memory, **written})
        if grown > MEMORY_LIMIT:
            raise NodeError(
                "memory-full", f"the sessions of a conversation have at most {MEMORY_LIMIT} bytes of memory"
            )
    return grown


def _size(conversation: Conversation, session: Session, memory: dict[str, Any]) -> int:
    sessions = (session, *conversation.stack)
    return json_size(memory) + sum(json_size(frame.memory) for one in sessions for frame in one.frames)


def has_room(conversation: Conversation, interrupted: Sequence[Session], more: Any, limit: int = KEPT_LIMIT) -> bool:
    """Whether the conversation may keep `more` beside what it and these interrupted sessions hold. What has no JSON form is not
    judged here."""
    own = conversation.session, conversation.taps, conversation.queued, conversation.last_message
    try:
        return len(orjson.dumps((own, interrupted, more))) <= limit
    except TypeError:
        return True


def note(changes: Changes, session: Session, written: dict[str, Any]) -> None:
    """Keep what these names had before the turn, and what they are given."""
    for name, value in written.items():
        known = changes.get((session.flow_id, name))
        changes[session.flow_id, name] = (session.memory.get(name) if known is None else known[0], value)
