"""The unit of work: what a batch has loaded, and all that it will save in one transaction."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from flow_engine.state.broadcasts import Recipient, RecipientChange, RecipientKey
from flow_engine.state.limits import MOST_TITLES, encoded_state
from flow_engine.state.listeners import Listeners
from flow_engine.state.patches import Patch
from flow_engine.state.rows import Identity, LogChange, LogRow, MessageRow, TimerRow, TraceRow
from flowlang.model import Contact, Conversation, PatchContact
from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.batches import DeadRecord


@dataclass(slots=True)
class LoadedConversation:
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

    @property
    def is_unknown(self) -> bool:
        """Whether nobody has heard of it: no row, and no turn in this batch."""
        return self.read_version is None and self.state is None

    def touch(self, now: str) -> None:
        """Save it although nothing happened in it: who listens has changed."""
        if self.state is None:
            self.state = encoded_state(self.conversation, max(now, self.conversation.last_at or ""))


@dataclass(frozen=True, slots=True)
class NewContact:
    """A contact that this batch makes."""

    project_id: str
    bot_id: str
    created_at: datetime


@dataclass(slots=True)  # Made for every event; a frozen one takes four times as long to make.
class Outcome:
    """What became of an event, as a repeat of it is answered; never changed. `at_rest` is False while its run goes on."""

    status: str
    problem: dict[str, Any] | None = None
    answer: str | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    digest: str | None = None
    """The `request_digest` that the event came with; kept of those that are read from the event log."""
    contact_id: str | None = None
    """Whom it changed or made, where it was about a contact itself."""

    @property
    def at_rest(self) -> bool:
        return self.status != "started"


class TimerState(NamedTuple):
    """What a batch has done with a timer."""

    row: TimerRow | None
    has_ended: bool


class Erased(NamedTuple):
    """What is kept of an erased key. What was received `before` (RFC 3339) is not applied; a conversation that begins under it
    anew goes on from `version` and `next_seq`, and knows what was applied (`seen`)."""

    before: str
    version: int
    next_seq: int
    seen: bytes


class PersonKept(NamedTuple):
    """What names a contact: its own id and those of contacts that were merged into it, the keys of their conversations, and
    (kind, value) of what was verified."""

    contact_ids: tuple[str, ...]
    keys: tuple[str, ...]
    names: tuple[tuple[str, str], ...]


class Migrated(NamedTuple):
    """What became of a conversation in a flow migration, and where it was. `outcome`: moved | skipped (by `reason`) | gone (it was nowhere
    in another version any more). `part`: the conversation's partition."""

    migration: str
    part: int
    outcome: str
    version: int
    node: str
    reason: str


class Begun(NamedTuple):
    """An erasure that was begun before: whose contacts it is about, and under which keys there is something of them still, or again."""

    contact_ids: tuple[str, ...]
    keys: tuple[str, ...]


class Erasing(NamedTuple):
    """What a record has erased: all that is kept under `key`; with `person`, which was read before, also the contact."""

    erasure: str
    key: str
    project_id: str
    bot_id: str
    contact_id: str
    before: str
    version: int
    next_seq: int
    seen: bytes
    person: PersonKept | None
    others: tuple[str, ...]
    """The other keys of the person."""
    is_repeat: bool
    """It is done, and what is there now came afterwards."""


@dataclass(slots=True)
class Work:
    """What was loaded comes first, what is to be saved and sent after it."""

    conversations: dict[str, LoadedConversation] = field(default_factory=dict)
    """By key."""
    contacts: dict[str, Contact] = field(default_factory=dict)
    holders: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(bot, kind, value) of a verified identifier that a new conversation brings -> the id of the contact that has it."""
    asked_for: dict[str, str] = field(default_factory=dict)
    """By the id of a contact as it was given: the id of who it is now."""
    read_versions: dict[str, int] = field(default_factory=dict)
    """By contact id, of those that this batch changes by their own keys."""
    changes: Counter[str] = field(default_factory=Counter)
    """By contact id: how often this batch has changed it so far."""
    erased: dict[str, Erased] = field(default_factory=dict)
    """By key, of those that this batch's records have and that were erased once."""
    not_theirs: dict[str, frozenset[str]] = field(default_factory=dict)
    """By event id: identifiers that it tells of its person, and that were somebody else's who was erased since it was received."""
    timers_found: set[str] = field(default_factory=set)
    """Of the timers that this batch's records name, those that still have a row."""
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    """By event id: of this batch, and those that its repeats ask for."""
    digests: dict[str, str] = field(default_factory=dict)
    """By event id: the `request_digest` that the first one of these outcomes came with."""

    histories: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    """By the id of an event that asks for it: what was said in its conversation, {role, text}."""
    recipients: dict[RecipientKey, Recipient] = field(default_factory=dict)
    """Of broadcasts, those that this batch's records name."""

    new_contacts: dict[str, NewContact] = field(default_factory=dict)
    patches: dict[str, Patch] = field(default_factory=dict)
    if_versions: dict[str, int] = field(default_factory=dict)
    """By contact id: the version that its row must have still, where somebody said which one he changes."""
    merges: dict[str, str] = field(default_factory=dict)
    """Contacts that this batch makes part of another one, and of which."""
    adopted: set[str] = field(default_factory=set)
    """Contacts that conversations without one have found to be theirs."""
    own_writes: set[str] = field(default_factory=set)
    """Contacts that are made or changed by their own keys: what they are told makes them nobody else."""
    verified: list[Identity] = field(default_factory=list)
    """In the order in which it was told: of one identifier the last counts."""
    told: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """(bot, kind, value) of these -> the id of the contact that was told it last."""
    webhook_titles: set[tuple[str, str]] = field(default_factory=set)
    """(contact id, title) of webhooks that were received."""
    recipient_changes: dict[RecipientKey, RecipientChange] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    """Broadcasts that began somewhere in this batch: they have to run still when it is saved."""
    migrated: Counter[Migrated] = field(default_factory=Counter)
    """Conversations that flow migrations came to, by what became of them."""
    timers: dict[str, TimerRow] = field(default_factory=dict)
    ended_timers: set[str] = field(default_factory=set)
    messages: list[MessageRow] = field(default_factory=list)
    traces: list[TraceRow] = field(default_factory=list)
    node_counts: defaultdict[tuple[str, int, str, str | None, bool], int] = field(
        default_factory=lambda: defaultdict(int)
    )
    """(flow, version, node, port by which it was left, whether it was reached) -> how often; see `turn.counting`."""
    node_tokens: defaultdict[tuple[str, int, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """(flow, version, node) -> `input` and `output` tokens of language models."""
    counting_part: int = 0
    """One of the batch's partitions."""
    log_rows: dict[str, LogRow] = field(default_factory=dict)
    log_changes: dict[str, LogChange] = field(default_factory=dict)
    """By event id."""
    said: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By conversation id: the bot's messages of this batch, as attached instances get them."""
    held: dict[str, list[Record]] = field(default_factory=dict)
    """By conversation key: records that wait behind others."""
    deferred: set[str] = field(default_factory=set)
    """Keys of `held` whose first record's turn is deferred."""
    deferrals: list[tuple[str, int]] = field(default_factory=list)
    """(conversation id, position) of rows that are the first held ones now, and deferred."""
    redriven: list[tuple[str, int]] = field(default_factory=list)
    """(conversation id, position) of held rows that this batch applied."""
    erasing: Erasing | None = None
    erasures_done: list[tuple[str, str | None]] = field(default_factory=list)
    """(erasure, key) of which the dispatcher has nothing any more; without a key: of all of them."""
    outgoing: list[tuple[Record, list[Outgoing]]] = field(default_factory=list)
    dead: list[DeadRecord] = field(default_factory=list)

    def changed(self) -> list[LoadedConversation]:
        """The conversations to save, in the order of their ids: two batches lock them in the same order."""
        changed = [loaded for loaded in self.conversations.values() if loaded.state is not None]
        return sorted(changed, key=lambda loaded: loaded.id)

    def send(self, cause: Record, records: list[Outgoing]) -> None:
        """Have these records written, as effects of that one."""
        if records:
            self.outgoing.append((cause, records))

    def join_outgoing(self, since: int, cause: Record) -> None:
        """Make all that was sent `since` then effects of one record: a record's effects are numbered together."""
        made = [outgoing for _, outgoings in self.outgoing[since:] for outgoing in outgoings]
        self.outgoing[since:] = [(cause, made)] if made else []

    def add_log_row(self, row: LogRow) -> None:
        """Note an event's own turn."""
        self.log_rows[row.id] = row

    def start_timers(self, rows: Iterable[TimerRow]) -> None:
        """These waits have begun."""
        self.timers.update((row.id, row) for row in rows)

    def end_timers(self, ids: set[str]) -> None:
        """These waits are over."""
        for id in ids:
            self.timers.pop(id, None)
        self.ended_timers |= ids

    def take_timer(self, id: str) -> bool:
        """End the wait of a timer that fired. False when it had ended before."""
        if id in self.ended_timers or (id not in self.timers_found and id not in self.timers):
            return False
        self.end_timers({id})
        return True

    def timer(self, id: str) -> TimerState:
        """As `put_back` takes it."""
        return TimerState(self.timers.get(id), id in self.ended_timers)

    def put_back(self, id: str, state: TimerState) -> None:
        """Make a timer again what it was."""
        if state.row is not None:
            self.timers[id] = state.row
        if not state.has_ended:
            self.ended_timers.discard(id)

    def add_title(self, contact_id: str, title: str) -> None:
        """A webhook of this title was received about the contact, as turns of this batch see it from now on."""
        self.webhook_titles.add((contact_id, title))
        known = self.contacts.get(self.merges.get(contact_id, contact_id))
        if known is not None and title not in known.webhook_titles and len(known.webhook_titles) < MOST_TITLES:
            self.contacts[known.id] = replace(known, webhook_titles=[*known.webhook_titles, title])

    def change_log(self, event_id: str, status: str, part: bytes) -> None:
        """A later turn decides what became of an earlier event."""
        before = self.log_changes.get(event_id)
        self.log_changes[event_id] = LogChange(status, (before.part if before else b"") + b"\n" + part)

    def verify(self, identities: list[Identity]) -> None:
        """These identify contacts from now on."""
        self.verified += identities
        self.told.update(((one.bot_id, one.kind, one.value), one.contact_id) for one in identities)

    def patch(self, contact_id: str, change: PatchContact) -> None:
        """Add a change of a contact; one that this batch makes is saved whole."""
        self.changes[contact_id] += 1
        if contact_id and contact_id not in self.new_contacts:
            self.patches.setdefault(contact_id, Patch()).add(change)
