"""The twin of PostgresDeliveries: the same port over dicts, for tests that run in milliseconds."""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, takewhile
from typing import Any, TypeVar
from uuid import UUID, uuid4

import orjson

from dispatcher.kinds.table import DELIVERY_KINDS, Kinds
from dispatcher.model.delivery import OPENS_AFTER, Delivery, Result, unknown_kind
from dispatcher.model.states import FINAL, State
from dispatcher.store.erasures import TOLD
from dispatcher.store.port import (
    CLAIMED_BYTES,
    DISCARDED_AT_ONCE,
    LEFT_AT_ONCE,
    STRETCH_BYTES,
    Failing,
    Lease,
    Pause,
    Place,
    Queue,
    Recorded,
    Session,
    Unpublished,
)
from dispatcher.store.rows import NewRow, ResultRow, new_rows, result_row
from servicekit.kafka.records import Outgoing
from support.deliveries_erased import ErasingInMemory, without_content
from support.delivery_tables import Known, Row, Tables

R = TypeVar("R", ResultRow, Pause)
T = TypeVar("T")
SECOND = timedelta(seconds=1)


class DeliveriesInMemory(ErasingInMemory):
    """store.port.DeliveryStore and its Session in one. `now` is its clock.

    `fails`: what the next transactions raise, having done nothing; `unanswered`: the same, having been committed.
    """

    def __init__(self, kinds: Kinds = DELIVERY_KINDS, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._kinds, self._now = kinds, now
        self.tables: Tables = Tables()
        self.places: dict[Place, int] = {}
        self.fails: list[Exception] = []
        self.unanswered: list[Exception] = []

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        yield self

    def on(self, connection: Any) -> Session:
        return self

    async def transaction(self, work: Callable[[Session], Awaitable[T]]) -> T:
        before = copy.deepcopy(self.tables)
        try:
            if self.fails:
                raise self.fails.pop(0)
            done = await work(self)
        except BaseException:
            self.tables = before
            raise
        if self.unanswered:
            raise self.unanswered.pop(0)
        return done

    async def queue_ids(self, places: Iterable[Place]) -> Mapping[Place, int]:
        for place in places:
            self.places.setdefault(place, len(self.places) + 1)
            self.tables.looks.setdefault(self.places[place], None)
        return self.places

    async def close(self) -> None:
        """Nothing is held."""

    async def state(self, one: Delivery) -> State | None:
        """What the row of a delivery says, if there is one."""
        row = self.tables.rows.get((one.key, one.day))
        return None if row is None else row.state

    async def replay(self, one: Delivery) -> bool:
        """What the API orders for a delivery that is finished or waits for an attempt (`store.log`)."""
        row = self.tables.rows.get((one.key, one.day))
        if row is not None and row.state in ("pending", "retrying"):
            row.due = self._now()
            self._look_by(row.new.queue_id, 0.0)
            return True
        if row is None or not row.finished:
            return False
        row.state, row.due, row.finished = "pending", self._now(), False
        row.new = row.new._replace(lane=None, seq=None)
        return True

    # Deliveries

    async def take_over(self, deliveries: Sequence[Delivery], lease: Lease) -> dict[UUID, State]:
        unfinished = {row.new.lane for row in self._unfinished()}
        made: dict[UUID, State] = {}
        for new in new_rows(deliveries):
            if new.state != "discarded":
                self._look_by(new.queue_id, 0.0 if new.state == "pending" else lease.interval / SECOND)
            if (new.id, new.day) not in self.tables.rows:
                behind = new.lane is not None and (new.place or new.lane in unfinished)
                made[new.id] = self._insert(new, "blocked" if behind and new.state != "discarded" else None, lease)
        return made

    def _insert(self, new: NewRow, state: State | None, lease: Lease) -> State:
        if new.contact_id in self.tables.erased and new.event_type != TOLD:
            new, state = without_content(new), "cancelled"
        row = Row(new, state or new.state or "in_flight", error=new.error)
        row.finished, row.lease = row.state in FINAL, lease.id if row.state == "blocked" else None
        if row.state == "in_flight":
            self._grant(row, lease)
        elif row.state == "pending":
            row.due = self._now()
        self.tables.rows[new.id, new.day] = row
        return row.state

    def _grant(self, row: Row, lease: Lease) -> None:
        row.state, row.lease, row.attempts = "in_flight", lease.id, row.attempts + 1
        row.due = self._now() + lease.interval

    async def supersede(self, lanes: Mapping[str, int]) -> set[UUID]:
        leased = set[UUID]()
        for row in self._unfinished():
            if row.new.kind != "message" or (row.new.lane or "") not in lanes:
                continue
            said = orjson.loads(row.new.payload)
            if said.get("agent_id") is not None or said.get("owner_epoch", 0) >= lanes[row.new.lane or ""]:
                continue
            row.superseded = True
            if row.state == "in_flight":
                leased.add(row.new.id)
            elif row.state != "blocked":
                row.due = self._now()
                self._look_by(row.new.queue_id, 0.0)
        return leased

    async def take_lanes(self, sources: Iterable[str], in_hand: Iterable[UUID]) -> None:
        queues = {id for place, id in self.places.items() if place.source in set(sources)}
        ours = [row for row in self._unfinished() if row.new.queue_id in queues and row.new.lane is not None]
        for row in _heads(ours):
            if row.state in ("in_flight", "blocked") and row.new.id not in set(in_hand):
                row.state, row.due, row.lease = "retrying", self._now(), None
                self.tables.looks[row.new.queue_id] = self._now()

    async def claim(self, queue: Queue, limit: int, lease: Lease) -> list[Delivery]:
        now = self._now()
        due = [row for row in self.tables.rows.values() if row.new.queue_id == queue.id and row.due and row.due <= now]
        chosen, size = list[Row](), 0
        for row in sorted(due, key=lambda row: row.due or now)[:limit]:
            if size < CLAIMED_BYTES:
                chosen.append(row)
            size += len(row.new.payload)
        cut_off = [row.state == "in_flight" for row in chosen]
        for row in chosen:
            self._grant(row, lease)
        claimed = [self._delivery_of(row, lease) for row in chosen]
        return [replace(one, cut_off=cut) for one, cut in zip(claimed, cut_off, strict=True)]

    async def unblock(self, lanes: Mapping[str, int], lease: Lease) -> list[Delivery]:
        heads = list[Delivery]()
        for lane, most in sorted(lanes.items()):
            rows = [row for row in self._unfinished() if row.new.lane == lane]
            stretch = _blocked_first(sorted(rows, key=lambda row: row.new.seq or 0)[:most])
            for row in stretch[:1]:
                self._grant(row, lease)
                heads.append(self._delivery_of(row, lease))
            for row in stretch[1:]:
                row.lease = lease.id
                heads[-1].following += (replace(self._delivery_of(row, lease), attempts=row.attempts + 1),)
        return heads

    async def record(self, results: Sequence[Result], working: Sequence[str], published: Sequence[UUID]) -> Recorded:
        mine = {one.delivery.key for one in results if self._end(one)}
        for one in results:
            if one.delay is not None:
                self._look_by(one.delivery.queue_id, one.delay)
        recovered = set[str]()
        for name in working:
            if (known := self.tables.destinations.get(name)) is not None:
                recovered |= {name} if known.failures >= OPENS_AFTER else set()
                known.failures, known.failing_since, known.told = 0, None, False
        await self.forget_results(published)
        return Recorded(mine, recovered)

    def _end(self, one: Result) -> bool:
        new = as_postgres_takes_it(result_row(one))
        row = self.tables.rows.get((new.id, new.day))
        if row is None or row.lease is None or row.lease != new.lease:
            return False
        row.state, row.attempts, row.error, row.lease = new.state, new.attempts, new.detail, None
        row.due = None if new.delay is None else self._now() + new.delay * SECOND
        row.finished = new.delay is None
        if new.request is not None:
            row.notes.append(new)
        return True

    async def discard_some(self, day: date, why: str) -> list[Delivery]:
        old = [row for row in self._unfinished() if row.new.day == day][:DISCARDED_AT_ONCE]
        for row in old:
            row.state, row.error, row.due, row.lease, row.finished = "discarded", why, None, None, True
        return [self._delivery_of(row, Lease(0)) for row in old]

    def _unfinished(self) -> list[Row]:
        return [row for row in self.tables.rows.values() if not row.finished]

    def _delivery_of(self, row: Row, lease: Lease) -> Delivery:
        new = row.new
        [destination] = (place.destination for place, id in self.places.items() if id == new.queue_id)
        return Delivery(
            key=new.id, day=new.day, project_id=new.project_id, kind=self._kinds.get(new.kind) or unknown_kind(new.kind),
            queue_id=new.queue_id, destination=destination, source=new.source, payload=new.payload, lane=new.lane,
            seq=new.seq, attempts=row.attempts, lease=lease.id, lease_ends=lease.ends, expires_at=new.expires_at,
            conversation=new.conversation, contact_id=new.contact_id, event_type=new.event_type, event_id=new.event_id,
            traceparent=new.traceparent, hops=new.hops or 0, superseded=row.superseded,
        )  # fmt: skip

    # Queues

    async def due_queues(self, sources: Iterable[str]) -> list[Queue]:
        now, ours = self._now(), {"", *sources}
        found = [
            (look, Queue(id, place.destination, place.project_id))
            for place, id in self.places.items()
            if place.source in ours and (look := self.tables.looks[id]) is not None and look <= now
        ]
        by_destination, by_project, turns = Counter[tuple[str, str]](), Counter[str](), []
        for look, queue in sorted(found):
            by_destination[queue.project_id, queue.destination] += 1
            turns.append((by_destination[queue.project_id, queue.destination], look, queue))
        in_turn = []
        for _, look, queue in sorted(turns):
            by_project[queue.project_id] += 1
            in_turn.append((by_project[queue.project_id], look, queue))
        return [queue for _, _, queue in sorted(in_turn)][:500]

    async def look_again(self, queue: Queue) -> None:
        self.tables.looks[queue.id] = self._first_due(queue.id)

    async def look_later(self, queue: Queue, seconds: float) -> None:
        self.tables.looks[queue.id] = self._now() + seconds * SECOND

    async def sweep_lanes(self) -> None:
        """Here every look goes as far back as there is anything."""

    async def sweep_queues(self) -> None:
        for id, look in list(self.tables.looks.items()):
            due = self._first_due(id)
            if due is not None and due < self._now() + 60 * SECOND and (look is None or look > due):
                self.tables.looks[id] = due

    def _first_due(self, queue: int) -> datetime | None:
        return min(
            (row.due for row in self.tables.rows.values() if row.new.queue_id == queue and row.due), default=None
        )

    def _look_by(self, queue: int, seconds: float) -> None:
        by, look = self._now() + seconds * SECOND, self.tables.looks.get(queue)
        self.tables.looks[queue] = by if look is None else min(look, by)

    # Destinations

    def _known(self, name: str) -> Known:
        return self.tables.destinations.setdefault(name, Known())

    async def note_failures(self, failures: Mapping[str, int], too_long: timedelta) -> list[Failing]:
        now, found = self._now(), list[Failing]()
        for name, count in failures.items():
            known = self._known(name)
            known.failures, known.failing_since = known.failures + count, known.failing_since or now
            found.append(Failing(name, known.told, known.failing_since < now - too_long))
        return found

    async def note_told(self, destinations: Sequence[str]) -> None:
        for name in destinations:
            self._known(name).told = True

    async def pause(self, pauses: Sequence[Pause]) -> set[str]:
        held = {(name, self.tables.destinations[name].reason) for name in await self.pauses()}
        for name, seconds, reason in map(as_postgres_takes_it, pauses):
            known, until = self._known(name), self._now() + seconds * SECOND
            known.paused_until, known.reason = max(known.paused_until or until, until), reason
        return {each.destination for each in pauses if (each.destination, each.reason) not in held}

    async def resume(self, destinations: Sequence[str], reasons: Sequence[str]) -> None:
        for name in destinations:
            known = self.tables.destinations.get(name)
            if known is not None and known.reason in reasons:
                known.paused_until, known.reason = None, None
        resumed = {id for place, id in self.places.items() if place.destination in destinations}
        for row in self.tables.rows.values():
            if row.state == "pending" and row.due is not None and row.new.queue_id in resumed:
                row.due = min(row.due, self._now())

    async def look_now(self, destinations: Sequence[str]) -> None:
        for place, id in self.places.items():
            if place.destination in destinations and self.tables.looks[id] is not None:
                self._look_by(id, 0.0)

    async def pauses(self) -> dict[str, float]:
        left = {name: (known.paused_until - self._now()) / SECOND for name, known in self.tables.destinations.items()
                if known.paused_until}  # fmt: skip
        return {name: seconds for name, seconds in left.items() if seconds > 0}

    # Results for Kafka

    async def keep_results(self, outgoing: Sequence[Outgoing]) -> UUID:
        name = uuid4()
        self.tables.outbox[name] = (self._now(), list(outgoing))
        return name

    async def forget_results(self, names: Sequence[UUID]) -> None:
        for name in names:
            self.tables.outbox.pop(name, None)

    async def unpublished(self, age: timedelta) -> list[Unpublished]:
        old = [(at, Unpublished(name, out)) for name, (at, out) in self.tables.outbox.items() if at < self._now() - age]
        left = [row for _, row in sorted(old, key=lambda pair: pair[0])][:LEFT_AT_ONCE]
        self.tables.outbox |= {row.name: (self._now(), list(row.outgoing)) for row in left}
        return left

    # Days and replicas

    async def ensure_days(self, days: Iterable[date]) -> None:
        self.tables.days |= set(days)

    async def days_before(self, oldest: date) -> list[date]:
        return sorted(day for day in self.tables.days if day < oldest)

    async def drop_day(self, day: date) -> bool:
        self.tables.days.discard(day)
        self.tables.rows = {key: row for key, row in self.tables.rows.items() if key[1] != day}
        return True

    async def today(self) -> date:
        return self._now().date()

    async def live_replicas(self, instance: str) -> int:
        now = self._now()
        self.tables.replicas[instance] = now
        self.tables.age += 1
        return sum(seen > now - 6 * SECOND for seen in self.tables.replicas.values())

    async def age(self) -> int:
        return self.tables.age


def as_postgres_takes_it(row: R) -> R:
    """The row. Raises ValueError for a value that PostgreSQL refuses."""
    for value in row:
        if isinstance(value, str) and "\x00" in value.encode().decode():
            raise ValueError("U+0000 in a text")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{value} as an interval")
    if isinstance(row, ResultRow) and not -(2**15) <= (row.status or 0) < 2**15:
        raise ValueError(f"{row.status} as a smallint")
    return row


def _blocked_first(rows: Sequence[Row]) -> list[Row]:
    """Of the first rows of a lane those that are leased together."""
    sized = zip(rows, accumulate(len(row.new.payload) for row in rows), strict=True)
    fits = takewhile(
        lambda each: each[0].state == "blocked" and (each[0] is rows[0] or each[1] <= STRETCH_BYTES), sized
    )
    return [row for row, _ in fits]


def _heads(rows: Iterable[Row]) -> list[Row]:
    """The first of each lane."""
    first: dict[str | None, Row] = {}
    for row in sorted(rows, key=lambda row: row.new.seq or 0):
        first.setdefault(row.new.lane, row)
    return list(first.values())
