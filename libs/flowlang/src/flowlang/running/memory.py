"""A session's memory in a turn: how much it may hold, and what its values were before."""

from __future__ import annotations

from typing import Any

from flowlang.expressions.values import json_size
from flowlang.model import Session
from flowlang.problems import NodeError

MEMORY_LIMIT = 40 * 1024
"""Bytes as JSON, of a session with all its frames. With the queue, the taps and the waits a conversation stays under 64 KiB."""
Changes = dict[tuple[str, str], tuple[Any, Any]]
"""Turn.memory_changes"""


def size_with(session: Session, written: dict[str, Any], known: int) -> int:
    """Bytes of the memory once it has these values. `known`: its bytes until now, -1: not counted. Raises NodeError past the limit."""
    grown = (_size(session, session.memory) if known < 0 else known) + json_size(written)
    if grown > MEMORY_LIMIT:
        grown = _size(session, {**session.memory, **written})  # Counted exactly: what is overwritten has gone.
        if grown > MEMORY_LIMIT:
            raise NodeError("memory-full", f"a session's memory has at most {MEMORY_LIMIT} bytes")
    return grown


def _size(session: Session, memory: dict[str, Any]) -> int:
    return json_size(memory) + sum(json_size(frame.memory) for frame in session.frames)


def note(changes: Changes, session: Session, written: dict[str, Any]) -> None:
    """Keep what these names had before the turn, and what they are given."""
    for name, value in written.items():
        known = changes.get((session.flow_id, name))
        changes[session.flow_id, name] = (session.memory.get(name) if known is None else known[0], value)
