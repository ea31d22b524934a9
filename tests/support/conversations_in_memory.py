"""The twin of PostgresConversations: the same port over dicts, for tests that run in milliseconds."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate, compress
from typing import Any, NamedTuple

import orjson

from contracts.cloudevents import header
from contracts.ids import NOBODY
from flow_engine.catalogue.port import Retired
from flow_engine.errors import StaleConversation
from flow_engine.state import listeners, stored_state
from flow_engine.state.broadcasts import Recipient, RecipientKey
from flow_engine.state.ids import as_uuid, conversation_id
from flow_engine.state.json_text import encode
from flow_engine.state.rows import LogRow, MessageRow, TimerRow, TraceRow, TurnOf
from flow_engine.state.traces import steps_of
from flow_engine.state.work import Begun, Erased, LoadedConversation, Outcome, PersonKept, Work
from flow_engine.store.erasures import name_key
from flow_engine.store.event_log import outcome
from flow_engine.store.held import ROW_BYTES, digest_of, project_of
from flow_engine.store.history import shown
from flow_engine.store.loading import chat_message
from flow_engine.store.port import (
    BACKLOG_BYTES,
    BACKLOG_LIMIT,
    Conversations,
    DueTimers,
    FiredTimer,
    HeldConversation,
    HeldEvent,
    LoggedEvent,
    Name,
    OwnContact,
    Reads,
    StoredConversation,
    Unfinished,
)
from flow_engine.store.retired import STANDING
from flowlang.model import Contact
from servicekit.failpoints import broken
from servicekit.kafka.records import Record
from support.broadcasts_in_memory import BroadcastsInMemory
from support.contacts_in_memory import ContactsInMemory
from support.erasures_in_memory import begun, erase, oldest


class Kept(NamedTuple):
    """A conversation as its row has it."""

    key: str
    version: int
    state: bytes
    seen: bytes
    listeners: bytes | None
    contact_id: str
    last_user_at: datetime | None


@dataclass
class Armed:
    """A timer, until the turn that applies its event."""

    row: TimerRow
    fired_at: datetime | None = None


@dataclass
class ConversationsInMemory(ContactsInMemory):
    """store.port.ConversationStore. Connections are ignored: each method is a transaction of its own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    conversations: dict[str, Kept] = field(default_factory=dict)
    armed: dict[str, Armed] = field(default_factory=dict)
    messages: dict[str, list[MessageRow]] = field(default_factory=dict)
    log: dict[str, LogRow] = field(default_factory=dict)
    traces: dict[str, list[TraceRow]] = field(default_factory=dict)
    waiting: dict[str, list[HeldEvent]] = field(default_factory=dict)
    parts: dict[int, int] = field(default_factory=dict)
    """By the position of a held event: its partition."""
    erased: dict[str, Erased] = field(default_factory=dict)
    """By key, and by the keys that stand for names."""
    erasures: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """By id: the keys that are to be erased, and who has erased each."""
    erased_contacts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    asked_at: dict[str, datetime] = field(default_factory=dict)
    """By the id of an erasure."""
    retired_through: dict[str, Retired] = field(default_factory=dict)
    _positions: int = 0
    _one_batch: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.broadcasts = BroadcastsInMemory(self)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reads]:
        async with self._one_batch:
            yield ReadsInMemory(self)

    async def close(self) -> None:
        """There is nothing to let go of."""

    async def save(self, work: Work, connection: Any) -> None:
        changed = [loaded for loaded in work.changed() if not self._stale(loaded)]
        self.refuse_stale_contacts(work)
        self.broadcasts.refuse_settled(work)
        for loaded in changed:
            self.conversations[loaded.id] = _kept(loaded)
        self.save_contacts(work)
        self.broadcasts.settle(work)
        for message in work.messages:
            self.messages.setdefault(message.conversation, []).append(message)
        for trace in work.traces:
            self.traces.setdefault(trace.conversation, []).append(trace)
        self._save_timers_and_log(work)
        for key, records in work.held.items():
            for place, record in enumerate(records):
                self._wait(record, key, deferred=place == 0 and key in work.deferred)
        for conversation, position in work.redriven:
            self.waiting[conversation] = [held for held in self.waiting[conversation] if held.position != position]
        for conversation, position in work.deferrals:
            held = self.waiting[conversation]
            self.waiting[conversation] = [
                one._replace(deferred=True) if one.position == position else one for one in held
            ]
        erase(work, self)

    def _stale(self, loaded: LoadedConversation) -> bool:
        """Whether its row is not to be written. Raises StaleConversation when it is not as it was read."""
        kept = self.conversations.get(loaded.id)
        if (kept.version if kept else None) == loaded.read_version:
            return False
        if not broken("fence"):
            raise StaleConversation(loaded.id)
        return loaded.read_version is None

    def _save_timers_and_log(self, work: Work) -> None:
        self.armed.update((row.id, Armed(row)) for row in work.timers.values())
        for id in work.ended_timers:
            self.armed.pop(id, None)
        for row in work.log_rows.values():
            self.log.setdefault(row.id, row)
        for id, (status, part) in work.log_changes.items():
            if id in self.log:
                self.log[id] = self.log[id]._replace(status=status, body=self.log[id].body + part)

    async def hold(self, record: Record, key: str, error: str, connection: Any) -> None:
        self._wait(record, key, error)

    def _wait(self, record: Record, key: str, error: str | None = None, *, deferred: bool = False) -> None:
        self._positions += 1
        held = HeldEvent(
            self._positions, record.timestamp, record.key, record.value, record.headers, error, self.now(),
            deferred,
        )  # fmt: skip
        self.waiting.setdefault(conversation_id(key), []).append(held)
        self.parts[held.position] = record.partition

    async def deferred(self, parts: Iterable[int], connection: Any) -> list[TurnOf]:
        waiting = sorted(one for held in self.waiting.values() for one in held if one.deferred)
        return [
            TurnOf(part, (held.key or b"").decode(), project_of(held.headers))
            for held in waiting
            if (part := self.parts[held.position]) in set(parts)
        ]

    async def held_failed(self, conversation: str, position: int, error: str, connection: Any) -> None:
        held = self.waiting.get(conversation, [])
        self.waiting[conversation] = [
            one._replace(error=error, deferred=False) if one.position == position else one for one in held
        ]

    async def held_conversations(self, after: str | None, limit: int) -> list[HeldConversation]:
        ids = sorted(id for id, held in self.waiting.items() if held and not held[0].deferred and id > (after or ""))
        of = [(id, self.waiting[id], [one.error for one in self.waiting[id] if one.error]) for id in ids[:limit]]
        return [HeldConversation(i, (h[0].key or b"").decode(), len(h), h[0].held_at, (*e, None)[0]) for i, h, e in of]

    async def held_events(self, conversation: str, after: int | None, limit: int) -> list[HeldEvent]:
        held = self.waiting.get(conversation, [])
        return [one for one in held if one.position > (after or 0)][:limit]

    async def discard_held(self, conversation: str, positions: list[int] | None) -> int:
        before = self.waiting.get(conversation, [])
        kept = [one for one in before if positions is not None and one.position not in positions]
        self.waiting[conversation] = kept
        return len(before) - len(kept)

    async def event(self, event_id: str) -> LoggedEvent | None:
        row = self.log.get(as_uuid(event_id))
        if row is None:
            return None
        parts = [orjson.loads(line) for line in row.body.splitlines()]
        for part in parts:
            found = [one.body for one in self.traces.get(row.conversation or "", []) if one.turn == part.get("turn")]
            if found:
                part["steps"] = steps_of(found[0])
        said = {message["seq"]: message for part in parts for message in self._said(row.conversation, part)}
        return LoggedEvent(row.project_id, row.conversation, row.status, parts, list(said.values()))

    def _said(self, conversation: str | None, part: dict[str, Any]) -> list[dict[str, Any]]:
        first, last = part.get("seqs", (1, 0))
        in_log = [message for message in self.bot_said(conversation or "") if first <= message["seq"] <= last]
        return [*part.get("messages", []), *in_log]

    def bot_said(self, conversation: str) -> list[dict[str, Any]]:
        """The bot's and agents' messages of a conversation as ChatMessage objects, the oldest first."""
        rows = [row for row in self.messages.get(conversation, []) if row.sender in ("bot", "agent")]
        return [chat_message(row.seq, row.id, row.at, row.content) for row in sorted(rows, key=lambda row: row.seq)]

    async def oldest_erasure(self) -> Unfinished | None:
        return oldest(self)

    async def due_timers(self, parts: list[int]) -> list[DueTimers]:
        found = []
        for part in parts:
            due = sorted(
                armed.row.due for armed in self.armed.values() if armed.row.part == part and armed.fired_at is None
            )
            seconds = (due[0] - self.now()).total_seconds() if due else None
            found.append(DueTimers(part, min(1000, sum(moment <= self.now() for moment in due)), seconds))
        return found

    async def fire_timers(self, part: int, limit: int, connection: Any, each: int) -> list[FiredTimer]:
        armed = [one for one in self.armed.values() if one.row.part == part and one.fired_at is None]
        places: Counter[str] = Counter()
        in_turn = []
        for one in sorted((one for one in armed if one.row.due <= self.now()), key=lambda one: one.row.due):
            places[one.row.project_id] += 1
            if places[one.row.project_id] <= each:
                in_turn.append((places[one.row.project_id], one.row.due, one))
        fired = [one for _, _, one in sorted(in_turn, key=lambda placed: placed[:2])[:limit]]
        for one in fired:
            one.fired_at = self.now()
        return [_fired(one) for one in fired]

    async def lost_timers(self, parts: list[int], seconds: float) -> list[int]:
        return [part for part in sorted(parts) if self._lost(part, seconds)]

    async def fire_lost_timers(self, part: int, limit: int, seconds: float, connection: Any) -> list[FiredTimer]:
        lost = sorted(self._lost(part, seconds), key=lambda one: one.fired_at or self.now())[:limit]
        for one in lost:
            one.fired_at = self.now()
        return [_fired(one) for one in lost]

    async def retired(self, connection: Any) -> dict[str, Retired]:
        return dict(self.retired_through)

    async def retire(self, generation: int, through: Mapping[str, int]) -> bool:
        said = {id: Retired(generation, number) for id, number in through.items()}
        new = {id: one for id, one in said.items() if one > self.retired_through.get(id, (0, 0))}
        self.retired_through |= new
        return bool(new)

    async def stood_on(self, after: str | None, limit: int) -> tuple[set[str], str | None]:
        ids = sorted(id for id in self.conversations if id > (after or ""))[:limit]
        found = [re.findall(STANDING, self.conversations[id].state.decode()) for id in ids]
        return {"/".join(version) for versions in found for version in versions}, ids[-1] if ids else None

    def _lost(self, part: int, seconds: float) -> list[Armed]:
        before = self.now() - timedelta(seconds=seconds)
        theirs = [one for one in self.armed.values() if one.row.part == part]
        return [
            one for one in theirs if one.fired_at is not None and one.fired_at < before and not self.waiting.get(conversation_id(one.row.key))
        ]  # fmt: skip


def _fired(one: Armed) -> FiredTimer:
    return FiredTimer(one.row.id, one.row.key, one.row.project_id, one.row.wait)


class ReadsInMemory:
    """store.port.Reads over the twin."""

    def __init__(self, store: ConversationsInMemory) -> None:
        self._store = store

    async def conversations(self, keys: Iterable[str]) -> dict[str, StoredConversation]:
        return {key: self._stored(key) for key in keys}

    def _stored(self, key: str) -> StoredConversation:
        id = conversation_id(key)
        kept, held = self._store.conversations.get(id), bool(self._store.waiting.get(id))
        if kept is None:
            return StoredConversation(None, None, held, self._store.erased.get(key))
        contact_id = self._store.merged.get(kept.contact_id, kept.contact_id)
        _, contact = self._store.contacts.get(contact_id, ("", None))
        conversation = stored_state.decode(kept.state, key=key, contact_id=contact_id, version=kept.version)
        listening = listeners.load(kept.listeners)
        loaded = LoadedConversation(id, conversation, kept.version, kept.seen, listening, held, kept.last_user_at)
        return StoredConversation(loaded, contact, held, self._store.erased.get(key))

    async def person(self, bot_id: str, contact_id: str) -> PersonKept | None:
        if contact_id in self._store.merged or self._store.contact_id(Name(bot_id, "contact_id", contact_id)) is None:
            return None
        ids = sorted({contact_id, *(id for id, into in self._store.merged.items() if into == contact_id)})
        names = sorted((kind, value) for (_, kind, value), of in self._store.identities.items() if of in ids)
        return PersonKept(tuple(ids), tuple(sorted(self._keys_of(contact_id))), tuple(names))

    async def event_ids(self, conversation: str) -> list[str]:
        return [row.id for row in self._store.log.values() if row.conversation == conversation]

    async def begun(self, id: str) -> Begun | None:
        return begun(self._store, id)

    async def erased_names(self, names: Sequence[Name]) -> dict[Name, Erased]:
        keys = {name_key(name.bot_id, name.field, name.value): name for name in names}
        return {keys[key]: erased for key, erased in self._store.erased.items() if key in keys}

    async def timers(self, ids: list[str]) -> set[str]:
        return self._store.armed.keys() & set(ids)

    async def named(self, names: Sequence[Name]) -> dict[Name, Conversations]:
        ids = {name: self._store.contact_id(name) for name in names}
        return {name: self._keys_of(id) for name, id in ids.items() if id is not None}

    async def contacts(self, ids: Sequence[tuple[str, str]]) -> dict[str, OwnContact]:
        return self._store.own_contacts(ids)

    def _keys_of(self, contact_id: str) -> list[str]:
        def last_used_first(kept: Kept) -> tuple[float, str]:
            return (-kept.last_user_at.timestamp() if kept.last_user_at else 0.0, kept.key)

        ids = {contact_id, *(id for id, into in self._store.merged.items() if into == contact_id)}
        theirs = [kept for kept in self._store.conversations.values() if kept.contact_id in ids]
        return [kept.key for kept in sorted(theirs, key=last_used_first)]

    async def holders(self, names: Sequence[Name]) -> dict[Name, Contact]:
        ids = {name: self._store.identities.get(name) for name in names}
        return {name: self._store.contacts[id][1] for name, id in ids.items() if id is not None}

    async def recipients(self, keys: Sequence[RecipientKey]) -> dict[RecipientKey, Recipient]:
        return self._store.broadcasts.read(keys)

    async def backlog(self, conversation: str, after: int) -> list[dict[str, Any]]:
        said = [message for message in self._store.bot_said(conversation) if message["seq"] > after][:BACKLOG_LIMIT]
        sizes = accumulate(len(encode(message["content"])) for message in said)
        fits = [not place or size <= BACKLOG_BYTES for place, size in enumerate(sizes)]
        return list(compress(said, fits))

    async def said(self, conversation: str, limit: int, before: int, without: str) -> list[dict[str, str]]:
        rows = [row for row in self._store.messages.get(conversation, []) if row.place < before and row.id != without]
        newest = sorted((row for row in rows if row.sender != "note"), key=lambda row: (row.seq, row.place))[::-1]
        return shown((row.sender, orjson.loads(row.content)) for row in newest[:limit])

    async def outcomes(self, event_ids: list[str]) -> dict[str, Outcome]:
        found = {id: await self._store.event(id) for id in event_ids}
        return {id: outcome(logged) for id, logged in found.items() if logged is not None}

    async def held_counts(self, conversations: list[str]) -> dict[str, int]:
        return {id: len(self._store.waiting[id]) for id in conversations if self._store.waiting.get(id)}

    async def held_size(self, project: str) -> int:
        mine = (one for held in self._store.waiting.values() for one in held if project_of(one.headers) == project)
        return sum(len(one.value or b"") + ROW_BYTES for one in mine)

    async def held_digests(self, event_ids: list[str]) -> dict[str, str]:
        waiting = sorted((one for held in self._store.waiting.values() for one in held), key=lambda one: -one.position)
        asked = {header(one.headers, "ce_id"): digest_of(one.value) for one in waiting}
        return {id: digest for id, digest in asked.items() if id in event_ids and digest is not None}

    async def held(self, conversation: str, limit: int, after: int = 0) -> list[HeldEvent]:
        return [one for one in self._store.waiting.get(conversation, []) if one.position > after][:limit]


def _kept(loaded: LoadedConversation) -> Kept:
    conversation = loaded.conversation
    return Kept(
        conversation.key,
        conversation.version,
        loaded.state or b"",
        loaded.seen,
        listeners.dump(loaded.listeners),
        conversation.contact_id if conversation.channel_id != NOBODY else "",
        loaded.last_user_at,
    )
