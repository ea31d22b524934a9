"""The unit of work: what a batch has loaded, and all that it will save in one transaction."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.ids import derived_id
from flow_engine.state.limits import encoded_state
from flow_engine.state.listeners import Listeners
from flow_engine.state.patches import Patch
from flowlang.model import Contact, Conversation, PatchContact
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import DeadRecord

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def conversation_id(key: str) -> str:
    """The id that a conversation's key gives it: its primary key, and what the outside sees."""
    return derived_id("conversation", key)


def as_uuid(event_id: str) -> str:
    """An event id as the database takes it; foreign ids that are no UUID get one that follows from them."""
    return event_id if _UUID.fullmatch(event_id) else derived_id("event", event_id)


def timer_id(key: str, wait: str) -> str:
    """The id of the timer of a wait."""
    return derived_id("wait", key, wait)


@dataclass(slots=True)
class Talk:
    """One conversation in the hands of a batch. `read_version` is the stored row's, None without one."""

    id: str
    conversation: Conversation
    read_version: int | None
    seen: bytes = b""
    listeners: Listeners = field(default_factory=Listeners)
    held: bool = False
    last_user_at: datetime | None = None
    state: bytes | None = None
    """Encoded after the last turn; None: nothing to save."""


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact that this batch makes."""

    project_id: str
    bot_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event, as a repeat of it is answered. `at_rest` is False while its run goes on."""

    status: str
    problem: dict[str, Any] | None = None
    answer: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def at_rest(self) -> bool:
        return self.status != "started"


@dataclass(slots=True)
class Work:
    """Rows are tuples in the order of the statements of postgres_work.py."""

    talks: dict[str, Talk] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    timers_found: set[str] = field(default_factory=set)
    """Of the timers that this batch's records name, those that still have a row."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By event id: of this batch, and those that its repeats ask for."""

    new_contacts: dict[str, NewContact] = field(default_factory=dict)
    patches: dict[str, Patch] = field(default_factory=dict)
    timers: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    ended_timers: set[str] = field(default_factory=set)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    log_rows: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    log_changes: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """By event id: its new status, and what is appended to its log."""
    said: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation id: the bot's messages of this batch, as attached instances get them."""
    held: dict[str, list[Record]] = field(default_factory=dict)
    """By conversation key: records that wait behind others."""
    redriven: list[tuple[str, int]] = field(default_factory=list)
    """(conversation id, position) of held rows that this batch applied."""
    outgoing: list[tuple[Record, list[Outgoing]]] = field(default_factory=list)
    dead: list[DeadRecord] = field(default_factory=list)

    def touch(self, talk: Talk, now: str) -> None:
        """Save the conversation although nothing happened in it: who listens has changed."""
        if talk.state is None:
            talk.state = encoded_state(talk.conversation, max(now, talk.conversation.last_at or ""))

    def end_timers(self, ids: set[str]) -> None:
        """These waits are over."""
        for id in ids:
            self.timers.pop(id, None)
        self.ended_timers |= ids

    def change_log(self, event_id: str, status: str, part: bytes) -> None:
        """A later turn decides what became of an earlier event."""
        _, parts = self.log_changes.get(event_id, ("", b""))
        self.log_changes[event_id] = (status, parts + b"\n" + part)

    def patch(self, contact_id: str, change: PatchContact) -> None:
        """Add a change of a contact; one that this batch makes is saved whole."""
        if contact_id and contact_id not in self.new_contacts:
            self.patches.setdefault(contact_id, Patch()).add(change)
