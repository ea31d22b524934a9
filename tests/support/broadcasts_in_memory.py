"""Broadcasts in the twin of PostgresConversations: what store.broadcast_walk and store.recipients keep."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from flow_engine.errors import StaleConversation
from flow_engine.state import stored_state
from flow_engine.state.broadcasts import OPEN, Broadcast, Place, Recipient, RecipientKey, quiet_hours
from flow_engine.state.work import Work
from flow_engine.store.broadcast_walk import LEASE_SECONDS, LOST_SECONDS, LostWalk, Person, Step, Walk
from flow_engine.store.broadcasts import NewBroadcast
from flowlang.model import Contact

REACHED = ("started", "failed")


@dataclass(frozen=True)
class Sent:
    """A broadcast with its walk, as their rows have them."""

    new: NewBroadcast
    state: str = "scheduled"
    owner: str | None = None
    lease_until: datetime | None = None
    bound: str | None = None
    last: str | None = None
    walked: bool = False
    closed: bool = False
    paced_at: datetime | None = None


class Told(NamedTuple):
    """A recipient, as its row has it."""

    outcome: str
    reason: str | None
    conversation: str | None
    due: datetime | None
    at: datetime


class BroadcastsInMemory:
    """`kept`: the twin, whose contacts and conversations are read here."""

    def __init__(self, kept: Any) -> None:
        self.kept = kept
        self.sent: dict[str, Sent] = {}
        self.told: dict[RecipientKey, Told] = {}

    def now(self) -> datetime:
        """The twin's time."""
        now: datetime = self.kept.now()
        return now

    def make(self, new: NewBroadcast) -> None:
        self.sent.setdefault(new.id, Sent(new))

    def turn(self, id: str, state: str, before: Sequence[str]) -> bool:
        """As store.broadcasts.turn."""
        if (of := self.sent[id]).state not in before:
            return False
        paced = max(of.paced_at, self.now()) if of.paced_at and state == "running" else of.paced_at
        self.sent[id] = replace(of, state=state, paced_at=paced)
        return True

    def lease(self, owner: str, most: int) -> None:
        now, seconds = self.now(), timedelta(seconds=LEASE_SECONDS)
        free = [one for one in self.sent.values() if self._is_wanted(one) and self._is_free(one, owner)]
        for one in free[:most]:
            self.sent[one.new.id] = replace(one, owner=owner, lease_until=now + seconds)

    def mine(self, owner: str, most_sending: int) -> list[Walk]:
        mine = [one for one in self.sent.values() if one.owner == owner and not one.closed]
        there = [one for one in mine if one.lease_until and one.lease_until > self.now()]
        return [self._walk(one, most_sending) for one in there if one.state not in ("paused", "completed")]

    def _is_wanted(self, one: Sent) -> bool:
        begins = one.state == "scheduled" and one.new.starts_at <= self.now()
        return not one.closed and (one.state in ("running", "cancelled", "expired") or begins)

    def _is_free(self, one: Sent, owner: str) -> bool:
        left = (one.lease_until - self.now()).total_seconds() if one.lease_until else -1.0
        return left < (LEASE_SECONDS / 2 if one.owner == owner else 0.0)

    def _walk(self, one: Sent, most_sending: int) -> Walk:
        new, now = one.new, self.now()
        sending, due = min(most_sending, self._sending(new.id)), any(self._due(new.id))
        seconds = (now - one.paced_at).total_seconds() if one.paced_at else 0.0
        return Walk(
            new.id, new.project_id, new.bot_id, new.flow_id, new.entry, new.channel_id, new.filter, new.rate,
            quiet_hours(new.quiet_hours), one.state, new.until <= now, one.bound, one.last, one.walked, seconds, now,
            sending, due,
        )  # fmt: skip

    def begin(self, id: str, bound: str) -> None:
        if (of := self.sent[id]).state == "scheduled":
            self.sent[id] = replace(of, state="running", bound=bound, paced_at=self.now())

    def expire(self, id: str) -> None:
        if (of := self.sent[id]).state in ("scheduled", "running"):
            self.sent[id] = replace(of, state="expired")

    def close(self, id: str, reason: str) -> None:
        for key, row in self._of(id, "waiting"):
            self._set(key, row, "cancelled", reason)
        if not any(self._of(id, *OPEN)):
            self.sent[id] = replace(self.sent[id], closed=True, last=None)

    def complete(self, id: str) -> None:
        if not any(self._of(id, *OPEN)) and self.sent[id].state == "running":
            self.sent[id] = replace(self.sent[id], state="completed", closed=True, last=None)

    def _sending(self, id: str) -> int:
        return sum(not self.kept.waiting.get(row.conversation or "") for _, row in self._of(id, "sending"))

    def find_lost(self, id: str) -> None:
        before = self.now() - timedelta(seconds=LOST_SECONDS)
        for key, row in self._of(id, "sending"):
            if row.at < before and not self.kept.waiting.get(row.conversation or ""):
                self.told[key] = row._replace(outcome="waiting", due=self.now())

    def due(self, walk: Walk, most: int) -> list[Person]:
        return [self._person(walk, contact) for _, contact in self._due(walk.id)[:most]]

    def _due(self, id: str) -> list[tuple[datetime, str]]:
        return sorted(
            (row.due, key.contact) for key, row in self._of(id, "waiting") if row.due and row.due <= self.now()
        )

    def page(self, walk: Walk, most: int) -> list[Person]:
        of_bot = (
            id for id, (bot, _) in self.kept.contacts.items() if bot == walk.bot_id and id not in self.kept.merged
        )
        ids = sorted((id for id in of_bot if id < walk.place), reverse=True)
        return [self._person(walk, id) for id in ids[:most]]

    def by_id(self, walk: Walk, ids: Sequence[str]) -> list[Person]:
        return [self._person(walk, id) for id in ids if id in self.kept.contacts]

    def check_walk(self, owner: str, walk: Walk) -> None:
        """Raises LostWalk where the walk would not be taken further."""
        of = self.sent[walk.id]
        if of.state != "running" or of.owner != owner or of.last != walk.last:
            raise LostWalk

    def advance(self, walk: Walk, last: str | None, *, walked: bool, spent: float, most: float) -> None:
        """After `check_walk`."""
        of = self.sent[walk.id]
        paced = max(of.paced_at or self.now(), self.now() - timedelta(seconds=most)) + timedelta(seconds=spent)
        self.sent[walk.id] = replace(of, last=last, walked=walked, paced_at=paced)

    def note(self, id: str, steps: Sequence[Step]) -> set[str]:
        written = set[str]()
        for step in steps:
            key = RecipientKey(id, step.contact)
            row = self.told.get(key)
            if (
                (row is None and step.contact in self.kept.contacts)
                if step.is_new
                else (row and row.outcome == "waiting")
            ):
                self.told[key] = Told(step.outcome, step.reason, step.conversation, step.due, self.now())
                written |= {step.contact} if step.outcome == "sending" else set()
        return written

    def read(self, keys: Iterable[RecipientKey]) -> dict[RecipientKey, Recipient]:
        """As store.recipients.read."""
        return {key: self._recipient(key, self.told[key]) for key in keys if key in self.told}

    def _recipient(self, key: RecipientKey, row: Told) -> Recipient:
        of = self.sent[key.broadcast]
        new, now = of.new, self.now()
        told = Broadcast(of.state, new.until <= now, now, new.variables, quiet_hours(new.quiet_hours))
        return Recipient(row.outcome, self._is_reached(key.broadcast, key.contact), told)

    def refuse_settled(self, work: Work) -> None:
        """Raises StaleConversation, as store.recipients.save does."""
        if any(self.sent[id].state != "running" for id in work.begun):
            raise StaleConversation("a broadcast was paused, cancelled or ended since it was read")
        if any(key not in self.told or self.told[key].outcome not in OPEN for key in work.recipient_changes):
            raise StaleConversation("a recipient of a broadcast was settled since it was read")

    def settle(self, work: Work) -> None:
        """After `refuse_settled`."""
        for key, change in work.recipient_changes.items():
            self._set(key, self.told[key], change.outcome, change.reason, change.due)

    def forget(self, contacts: set[str]) -> None:
        """As store.recipients.erase."""
        self.told = {key: row for key, row in self.told.items() if key.contact not in contacts}

    def _set(self, key: RecipientKey, row: Told, outcome: str, reason: str | None, due: datetime | None = None) -> None:
        self.told[key] = row._replace(outcome=outcome, reason=reason, due=due, at=self.now())

    def _of(self, id: str, *outcomes: str) -> Iterator[tuple[RecipientKey, Told]]:
        return iter([(key, row) for key, row in self.told.items() if key.broadcast == id and row.outcome in outcomes])

    def _is_reached(self, id: str, contact: str) -> bool:
        others = [RecipientKey(id, one) for one, into in self.kept.merged.items() if into == contact]
        return any(key in self.told and self.told[key].outcome in REACHED for key in others)

    def _person(self, walk: Walk, id: str) -> Person:
        _, contact = self.kept.contacts.get(id, ("", Contact(id)))
        ids = {id, *(one for one, into in self.kept.merged.items() if into == id)}
        kept = [one for one in self.kept.conversations.values() if one.contact_id in ids]
        kept.sort(key=lambda one: (-(one.last_user_at.timestamp() if one.last_user_at else 0.0), one.key))
        timezone, places = contact.profile.get("timezone"), [self._place(one) for one in kept]
        return Person(id, self.kept.merged.get(id), timezone, self._is_reached(walk.id, id), places)

    def _place(self, kept: Any) -> Place:
        told = stored_state.decode(kept.state, key=kept.key, contact_id=kept.contact_id, version=kept.version)
        return Place(kept.key, told.reachable, told.opted_out, told.chat, kept.last_user_at)
