"""Walks broadcasts: one engine of all has each, by a lease, and writes a start for one contact after the other.

A step is one transaction of a partition that this process holds: the walk's place, the recipients' rows and the records on
inbound. So a kill leaves all of a step or nothing, and a walk that somebody else goes on with writes to nobody twice.

Starts give way to what comes through the doors. They come at the broadcast's rate, in small steps, and hardly any are written while
a record waits for this engine: each would wait in front of what people write.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from contracts import inbound
from contracts.cloudevents import Headers, headers, now_text
from contracts.ids import derived_id, split_conversation_key
from contracts.registry import Bot
from flow_engine.batch.channel_windows import window
from flow_engine.batch.reading_ahead import ReadingAhead
from flow_engine.batch.timers import Save
from flow_engine.batch.walking import FEW, LONGEST_PAUSE, MOST_SENDING, KnowsWaits, Pace, Resting
from flow_engine.catalogue.port import Catalogue
from flow_engine.segments.members import Segments, read_filter
from flow_engine.state.broadcasts import OPEN, Skipped, choose, quiet_until
from flow_engine.state.ids import conversation_id
from flow_engine.store import broadcast_walk as walks
from flow_engine.store.broadcast_walk import LostWalk, Person, Step, Walk
from flow_engine.store.contact_lists import Place
from servicekit.database import Pool
from servicekit.failpoints import failpoint
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import counter
from servicekit.observability.repeats import Repeated

AT_ONCE_SECONDS = 0.2
"""A step has no more starts than the rate allows in so long: each waits in front of what comes after it."""
LOOKED_AT, MOST_LOOKED_AT = 20, 100
"""Contacts that a step looks at, and twice as many more as it has room for starts; at most."""
SAVED_SECONDS = 1.0
"""What the rate has allowed and was not used is kept for so long: after an outage nothing comes in a rush."""
MOST_WALKS = 50
"""Broadcasts that one process walks at once."""

log = structlog.get_logger()


class Recipient(NamedTuple):
    """A contact, what is noted of it, and the conversation that the broadcast goes to, if it goes now."""

    step: Step
    key: str | None = None


class Chosen(NamedTuple):
    """Some recipients, the contact that the walk has come to with them, and whether that was the last."""

    recipients: list[Recipient]
    last: str | None
    walked: bool


class Broadcasting:
    """Of one process. `owner`: a name that no other process has."""

    def __init__(
        self,
        loop: KnowsWaits,
        pool: Pool,
        catalogue: Catalogue,
        segments: Segments,
        owner: str,
        stamp: Callable[[], Headers],
    ) -> None:
        """`stamp`: headers that say how far the registry is known here."""
        self._loop, self._pool, self._catalogue, self._segments = loop, pool, catalogue, segments
        self._owner, self._stamp = owner, stamp
        self._held = Repeated("broadcasts.held")
        self._resting: Resting[str] = Resting()
        self._ahead, self._lease_again = ReadingAhead(self._persons), 0.0
        self._pace = Pace(loop)
        self._settled = counter("switchhook_broadcast_recipients_total")

    async def run(self) -> None:
        """For ever. PostgreSQL or Kafka being away delays broadcasts and has nobody written to twice."""
        await self._pace.keep(self.look, self._held)

    async def look(self) -> bool:
        """Take each walk a step further, unless records wait; whether there are any."""
        if not self._loop.assigned:
            return False
        if not self._pace.may_walk():
            return True
        async with self._pool.acquire() as connection:
            if time.monotonic() >= self._lease_again:
                await walks.lease(connection, self._owner, MOST_WALKS)
                self._lease_again = time.monotonic() + LONGEST_PAUSE
            found = await walks.mine(connection, self._owner, MOST_SENDING)
        self._ahead.keep({walk.id for walk in found})
        for walk in found:
            if not self._resting.rests(walk.id):
                await self._one(walk)
        return bool(found)

    async def _one(self, walk: Walk) -> None:
        """What nobody has foreseen of one broadcast stops none of the others, and no engine."""
        try:
            await self._further(walk)
        except Exception as error:
            if is_infrastructure(error):
                raise
            log.exception("broadcast.failed", broadcast=walk.id)
            self._resting.rest(walk.id)

    async def _further(self, walk: Walk) -> None:
        if walk.state != "running" or walk.is_over:
            await self._turn(walk)
            return
        chosen, held = await self._next(walk), self._loop.assigned
        if chosen is None or not held:
            return
        await failpoint("broadcast_chosen")
        try:
            if await self._loop.transact(min(held), self._writing(walk, chosen)):
                self._ahead.went_on(walk, chosen.last)
        except LostWalk:
            log.info("broadcast.walk_lost", broadcast=walk.id)

    async def _turn(self, walk: Walk) -> None:
        """It begins, or has ended."""
        async with self._pool.acquire() as connection:
            if walk.state in ("cancelled", "expired"):
                self._rest(walk)
                await walks.find_lost(connection, walk.id)
                await walks.close(connection, walk.id, walk.state)
            elif walk.is_over:
                await walks.expire(connection, walk.id)
            else:
                await walks.begin(connection, walk.id, bound_at(walk.now))

    async def _next(self, walk: Walk) -> Chosen | None:
        """Who is next; None: nobody now."""
        room = await self._room(walk)
        if room <= 0:
            return None
        recipients = await self._who_waited(walk, room) if walk.has_due else []
        room -= sum(one.key is not None for one in recipients)
        if not walk.walked and room > 0:
            return await self._page(walk, recipients, room)
        if recipients:
            return Chosen(recipients, walk.last, walk.walked)
        self._rest(walk)
        async with self._pool.acquire() as connection:
            await walks.find_lost(connection, walk.id)
            if walk.walked:
                await walks.complete(connection, walk.id)
        return None

    async def _page(self, walk: Walk, recipients: list[Recipient], room: int) -> Chosen:
        last, known = walk.last, {one.step.contact for one in recipients}
        persons, following = await self._ahead.next(walk, min(MOST_LOOKED_AT, LOOKED_AT + 2 * room))
        for person in persons:
            if room <= 0:
                return Chosen(recipients, last, walked=False)
            last = person.id
            if person.id not in known:
                recipients.append(one := self._choose(walk, person, is_new=True))
                room -= one.key is not None
        return Chosen(recipients, following or last, walked=following is None)

    async def _persons(self, walk: Walk, most: int) -> tuple[list[Person], str | None]:
        """The next contacts of the segment, or of all, and behind whom it goes on; None: there are no more."""
        if walk.filter is None:
            async with self._pool.acquire() as connection:
                persons = await walks.page(connection, walk, most)
            return persons, persons[-1].id if len(persons) == most else None
        bot = Bot(id=walk.bot_id, project_id=walk.project_id, name="")
        found = await self._segments.members(self._pool, bot, read_filter(walk.filter), Place("", walk.place), most)
        async with self._pool.acquire() as connection:
            return await walks.by_id(connection, walk, found.items), found.next and found.next.id

    def _rest(self, walk: Walk) -> None:
        """Who is left waits for something else: it need not be looked at all the time."""
        self._resting.rest(walk.id, LONGEST_PAUSE)

    async def _room(self, walk: Walk) -> int:
        """How many may be written to now."""
        if walk.seconds < 0:
            return 0
        more = MOST_SENDING - walk.sending
        if more <= 0:
            async with self._pool.acquire() as connection:
                await walks.find_lost(connection, walk.id)
        by_rate = int(min(walk.seconds, SAVED_SECONDS, AT_ONCE_SECONDS) * walk.rate) + 1
        return min(by_rate, more, FEW) if self._pace.gives_way else min(by_rate, more)

    async def _who_waited(self, walk: Walk, room: int) -> list[Recipient]:
        async with self._pool.acquire() as connection:
            persons = await walks.due(connection, walk, room)
            merged = [one for one in persons if one.merged_into is not None]
            into = {one.merged_into for one in merged if one.merged_into is not None}
            # Who was merged into somebody is reached as that one, who may have a row already.
            found = await walks.by_id(connection, walk, sorted(into))
        chosen = [self._choose(walk, one, is_new=False) for one in persons if one.merged_into is None]
        chosen += [Recipient(Step(one.id, "skipped", "merged", None, None, is_new=False)) for one in merged]
        return chosen + [self._choose(walk, one, is_new=True) for one in found]

    def _choose(self, walk: Walk, person: Person, *, is_new: bool) -> Recipient:
        def noted(outcome: str, reason: str | None = None, due: datetime | None = None) -> Recipient:
            return Recipient(Step(person.id, outcome, reason, None, due, is_new))

        if person.is_reached:
            return noted("skipped", "merged")
        key = choose(person.places, walk.channel_id, self._window, walk.now)
        if isinstance(key, Skipped):
            return noted("skipped", key.reason)
        if (until := quiet_until(walk.quiet_hours, person.timezone, walk.now)) is not None:
            return noted("waiting", None, until)
        return Recipient(Step(person.id, "sending", None, conversation_id(key), None, is_new), key)

    def _window(self, channel_id: str) -> timedelta | None:
        return window(self._catalogue, channel_id)

    def _writing(self, walk: Walk, chosen: Chosen) -> Save:
        async def save(connection: Connection) -> list[Outgoing]:
            recipients = chosen.recipients
            spent = sum(one.key is not None for one in recipients) / walk.rate
            await walks.advance(
                connection, self._owner, walk, chosen.last, walked=chosen.walked, spent=spent, most=SAVED_SECONDS
            )
            written = await walks.note(connection, walk.id, [one.step for one in recipients])
            for one in recipients:
                if one.step.outcome not in OPEN:
                    self._settled.labels(one.step.outcome).inc()
            await failpoint("broadcast_noted")
            keys = {one.step.contact: one.key for one in recipients}
            return [
                self._start(walk, contact, key) for contact in sorted(written) if (key := keys[contact]) is not None
            ]

        return save

    def _start(self, walk: Walk, contact: str, key: str) -> Outgoing:
        """What begins it in a conversation. Its id follows from the broadcast and the contact."""
        now = now_text()
        bot_id, channel_id, peer_id = split_conversation_key(key)
        body = inbound.StartFlow(
            project_id=walk.project_id,
            bot_id=bot_id,
            channel_id=channel_id,
            peer_id=peer_id,
            channel_type=self._catalogue.channel_type(key),
            received_at=now,
            source="broadcast" if walk.moment is None else "schedule",
            flow_id=walk.flow_id,
            entry=walk.entry,
            broadcast=inbound.BroadcastRecipient(id=walk.id, contact_id=contact),
        )
        about = headers(
            id=derived_id("broadcast", walk.id, contact),
            type="inbound.start",
            source="switchhook/flow-engine",
            time=now,
            project=walk.project_id,
        )
        return Outgoing(self._loop.topic, key.encode(), body.encode(), [*about, *self._stamp()])


def bound_at(now: datetime) -> str:
    """The highest id of a contact that was made until then: its first 48 bits are the milliseconds."""
    return str(UUID(int=int(now.timestamp() * 1000) << 80 | (1 << 80) - 1))
