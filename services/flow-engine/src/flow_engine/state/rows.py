"""Rows that turns make, each with the names of its table's columns."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class MessageRow(NamedTuple):
    """A line of the chat log.

    `seq` counts the bot's messages; a person's has that of the bot's last before it. `place` orders lines of one `seq`.
    """

    conversation: str
    seq: int
    place: int
    sender: str
    """bot | person"""
    id: str
    at: datetime
    content: bytes
    """JSON."""
    bot_id: str


class Identity(NamedTuple):
    """A verified identifier and whose it is. `kind` and `value` as contracts.people.identifier has them.

    Without a value: the contact has none of this kind any more.
    """

    bot_id: str
    kind: str
    value: str
    contact_id: str


class TimerRow(NamedTuple):
    """A timer of a wait. `part` is the partition of its conversation, `due` by PostgreSQL's clock."""

    id: str
    part: int
    key: str
    project_id: str
    wait: str
    due: datetime


class TurnOf(NamedTuple):
    """Whose turn is deferred: a conversation of this key, in this partition."""

    part: int
    key: str
    project: str


class LogRow(NamedTuple):
    """A row of the event log: what became of an event that somebody may ask about. `body`: see turn.answers.log_body."""

    id: str
    project_id: str
    conversation: str | None
    status: str
    body: bytes


class TraceRow(NamedTuple):
    """A turn of a conversation, as `state.traces` packs it. `turn` is the conversation's version after it."""

    conversation: str
    turn: int
    body: bytes


class LogChange(NamedTuple):
    """What a later turn made of an earlier event: its new status, and what is appended to its body."""

    status: str
    part: bytes
