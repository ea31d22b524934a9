"""ConversationStore: all that the engine asks of what it keeps. `store.postgres` answers, and a twin in memory in tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from flow_engine.catalogue.port import Retired
from flow_engine.state.broadcasts import Recipient, RecipientKey
from flow_engine.state.rows import TurnOf
from flow_engine.state.work import Begun, Erased, LoadedConversation, Outcome, PersonKept, Work
from flowlang.model import Contact
from servicekit.kafka.records import Headers, Record
from servicekit.loop.batches import Connection

BACKLOG_LIMIT = 200
"""Messages of one backlog; who needs more attaches again."""
BACKLOG_BYTES = 512 * 1024
"""Bytes of these messages, as many as one reply holds; of a larger one there is that one."""


class StoredConversation(NamedTuple):
    """What is known of a conversation's key. `loaded` and `contact` are None where there is no such row.

    A conversation may be held before it has a row: its first event may be the one that failed.
    """

    loaded: LoadedConversation | None
    contact: Contact | None
    held: bool
    erased: Erased | None = None
    """Of a key that was erased once."""


EVENT = "event_id"
"""In the place of a field: what made or changed a contact that was erased."""


class Name(NamedTuple):
    """How a record names a person: `field` is contact_id, or external_id, phone or email as contracts.people.identifier."""

    bot_id: str
    field: str
    value: str


class OwnContact(NamedTuple):
    """A contact that is looked up by its id. `version` counts its changes."""

    contact: Contact
    version: int


Conversations = list[str]
"""The keys of a contact's conversations, also of those of contacts that were merged into it, the last used first."""


class HeldEvent(NamedTuple):
    """An event that waits in a held conversation; `position` is its place in the queue.

    `error`: why it failed, None for one that only waits behind such a one.
    """

    position: int
    record_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    error: str | None
    held_at: datetime
    deferred: bool = False
    """It waits for its turn, and for no operator."""


class HeldConversation(NamedTuple):
    """A conversation in which events wait for an operator. `error` is that of the first event that has one."""

    conversation: str
    key: str
    events: int
    since: datetime
    error: str | None


class LoggedEvent(NamedTuple):
    """What the event log says of an event.

    `parts` are JSON objects as turn.answers.log_body makes them: the first of the event's own turn, the others of later
    turns that decided what became of it. `messages` are the bot's messages that it caused (contracts.replies.ChatMessage).
    """

    project_id: str
    conversation: str | None
    status: str
    parts: list[dict[str, Any]]
    messages: list[dict[str, Any]]


class DueTimers(NamedTuple):
    """Of a partition: how many timers are due (at most 1,000), and seconds until its first one (None: it has none)."""

    part: int
    due: int
    seconds: float | None


class FiredTimer(NamedTuple):
    """A timer whose moment has come."""

    id: str
    key: str
    project_id: str
    wait: str


class Unfinished(NamedTuple):
    """An erasure that is not done, and for how long it has been under way."""

    id: str
    seconds: float


class Reads(Protocol):
    """What a batch looks up before its first record is applied. Nothing is asked of the database for an empty question."""

    async def conversations(self, keys: Iterable[str]) -> dict[str, StoredConversation]:
        """By conversation key, for each of `keys`, with their contacts; one query."""
        ...

    async def timers(self, ids: list[str]) -> set[str]:
        """Those of the timers that have a row."""
        ...

    async def named(self, names: Sequence[Name]) -> dict[Name, Conversations]:
        """The contacts that these names mean; who means nobody is left out."""
        ...

    async def holders(self, names: Sequence[Name]) -> dict[Name, Contact]:
        """Whose these verified identifiers are; nobody's are left out."""
        ...

    async def contacts(self, ids: Sequence[tuple[str, str]]) -> dict[str, OwnContact]:
        """By id as given, for each (bot id, contact id) that there is; of one that was merged, who it is now."""
        ...

    async def person(self, bot_id: str, contact_id: str) -> PersonKept | None:
        """What names a contact that is none that was merged; None: there is none."""
        ...

    async def event_ids(self, conversation: str) -> list[str]:
        """The events of a conversation id that the event log has."""
        ...

    async def begun(self, id: str) -> Begun | None:
        """The erasure with this id, begun or done; None: there is none."""
        ...

    async def erased_names(self, names: Sequence[Name]) -> dict[Name, Erased]:
        """Those of these names of people that were erased."""
        ...

    async def recipients(self, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Recipient]:
        """Those of these recipients of broadcasts that there are, each with what its broadcast is now."""
        ...

    async def backlog(self, conversation: str, after: int) -> list[dict[str, Any]]:
        """The bot's messages of a conversation id with a higher seq than `after` as contracts.replies.ChatMessage.

        The oldest first, at most BACKLOG_LIMIT.
        """
        ...

    async def said(self, conversation: str, limit: int, before: int, without: str) -> list[dict[str, str]]:
        """The newest messages of a conversation id before a place of the chat log, but for the one with the id `without`, and for
        notes: {role: user | assistant, text}, the oldest first, at most `limit`, and as many as HISTORY_BYTES has."""
        ...

    async def outcomes(self, event_ids: list[str]) -> dict[str, Outcome]:
        """What became of those events that the event log has, by id as given."""
        ...

    async def held_counts(self, conversations: list[str]) -> dict[str, int]:
        """How many events wait, by conversation id; those without any are left out."""
        ...

    async def held_size(self, project: str) -> int:
        """Bytes of a project's events that wait, with what it takes to keep them."""
        ...

    async def held_digests(self, event_ids: list[str]) -> dict[str, str]:
        """The `request_digest` of those of these events that wait, by event id; of two under one id the first's."""
        ...

    async def held(self, conversation: str, limit: int, after: int = 0) -> list[HeldEvent]:
        """The next events that wait in a conversation, behind the position `after`, in order."""
        ...


class ConversationStore(Protocol):
    """Conversations, contacts, timers, both logs and held events."""

    def reading(self) -> AbstractAsyncContextManager[Reads]:
        """For the reads of one batch; another batch waits until they are done."""
        ...

    async def save(self, work: Work, connection: Connection) -> None:
        """Save all of a batch, as part of the transaction that is open on `connection`.

        Raises StaleConversation when a conversation is not as it was read; nothing may be kept then.
        """
        ...

    async def hold(self, record: Record, key: str, error: str, connection: Connection) -> None:
        """Hold a conversation from this record on, as part of the transaction that is open on `connection`."""
        ...

    async def held_failed(self, conversation: str, position: int, error: str, connection: Connection) -> None:
        """Note why a held event failed again, as part of the transaction that is open on `connection`."""
        ...

    async def deferred(self, parts: Iterable[int], connection: Connection) -> list[TurnOf]:
        """The conversations of these partitions that wait for a deferred turn."""
        ...

    async def held_conversations(self, after: str | None, limit: int) -> list[HeldConversation]:
        """Those whose ids come after `after`, in the order of their ids."""
        ...

    async def held_events(self, conversation: str, after: int | None, limit: int) -> list[HeldEvent]:
        """What waits in a conversation behind the position `after`, in order."""
        ...

    async def discard_held(self, conversation: str, positions: list[int] | None) -> int:
        """Forget events that wait at these positions, None: all; how many there were."""
        ...

    async def event(self, event_id: str) -> LoggedEvent | None:
        """What the event log says of an event; None when it does not have it (yet)."""
        ...

    async def oldest_erasure(self) -> Unfinished | None:
        """Which has been under way for longest; None: all are done."""
        ...

    async def due_timers(self, parts: list[int]) -> list[DueTimers]:
        """For each of the partitions, by the database's clock."""
        ...

    async def fire_timers(self, part: int, limit: int, connection: Connection, each: int) -> list[FiredTimer]:
        """Mark timers of a partition that are due as fired, at most `limit`: the earliest of each project, then its second.

        At most `each` of a project.

        Part of the transaction that is open on `connection`. A timer's row stays until the turn that applies its event.
        """
        ...

    async def lost_timers(self, parts: list[int], seconds: float) -> list[int]:
        """Those of the partitions that have timers which `fire_lost_timers` would fire."""
        ...

    async def fire_lost_timers(self, part: int, limit: int, seconds: float, connection: Connection) -> list[FiredTimer]:
        """Mark timers as fired once more that were fired that long ago and whose conversation is not held.

        Part of the transaction that is open on `connection`.
        """
        ...

    async def retired(self, connection: Connection) -> dict[str, Retired]:
        """By flow id: no turn may start on these."""
        ...

    async def retire(self, generation: int, through: Mapping[str, int]) -> bool:
        """Versions of flows up to these are retired, says the registry. From then on nothing is saved that was computed before; False: they were it."""
        ...

    async def stood_on(self, after: str | None, limit: int) -> tuple[set[str], str | None]:
        """Of so many conversations, in the order of their ids behind `after`: the versions (`<flow>/<n>`) that they need to go
        on, and the last of the ids. None: there are no more."""
        ...

    async def close(self) -> None:
        """Let go of what `reading` holds."""
        ...
