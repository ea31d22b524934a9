"""Fires timers that are due: the partition's owner marks them and writes their records in one transaction.

Due is by the database's clock, which all engines share. A fired timer's event id follows from the timer, so that it fires
once however often it is found; its row stays until a turn applies the event, and an event without a row does nothing. A row
that stays although nothing of its partition waits to be applied has lost its record: it is fired again.

Timers give way to what comes through the doors: conversations that wait a second again and again cost their project no
request, so that some thousands of them would keep the engine busy for good, with a queue before everybody else's events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.store.port import ConversationStore, DueTimers, FiredTimer
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import counter, gauge
from servicekit.observability.repeats import Repeated

AT_ONCE = 50
"""Timers of a partition that one transaction fires."""
BEHIND, GIVE_WAY_SECONDS = 100, 0.05
"""Records that may wait for this engine while it fires what is due; seconds until it looks again where more do."""
FEW, FEW_SECONDS = 10, 0.5
"""Timers of each project and partition that are fired meanwhile, and how often, so that nobody's wait for ever."""
LONGEST_ERASURE = 3600.0
"""Seconds that an erasure may be under way until the log names it."""
LOST_SECONDS = 60.0
"""How long a timer must have been fired to count as lost, and how often that is looked at."""
MOST_COUNTED = 1000
LONGEST_SLEEP = 0.5
"""Seconds; a timer is late by no more than this and what is before it."""

Save = Callable[[Connection], Awaitable[list[Outgoing]]]

log = structlog.get_logger()


class HoldsPartitions(Protocol):
    """What timers need of the partition loop."""

    @property
    def topic(self) -> str:
        """The topic whose partitions it holds."""
        ...

    @property
    def assigned(self) -> set[int]:
        """The partitions that this process holds."""
        ...

    def lag(self) -> dict[int, int]:
        """Partition -> records not yet applied."""
        ...

    async def transact(self, partition: int, save: Save) -> bool:
        """Run `save` in a transaction of the partition's owner, and write what it returns. False: not the owner."""
        ...


class Timers:
    """Looks for due timers of the partitions that the loop holds, until it is cancelled."""

    def __init__(self, loop: HoldsPartitions, store: ConversationStore) -> None:
        self._loop, self._store = loop, store
        self._held = Repeated("timers.held")
        self._fired, self._due = counter("switchhook_timers_fired_total"), gauge("switchhook_due_timers")
        self._held_conversations = gauge("switchhook_held_conversations")
        self._erasures = gauge("switchhook_oldest_erasure_seconds")
        self._unfinished = Repeated("erasure.unfinished")
        self._next_look = time.monotonic() + LOST_SECONDS
        self._next_few: dict[int, float] = {}

    async def run(self) -> None:
        """For ever. Postgres or Kafka being away delays timers and loses none."""
        while True:
            try:
                pause = await self.fire_due()
                if time.monotonic() >= self._next_look:
                    self._next_look = time.monotonic() + LOST_SECONDS
                    await self.fire_lost()
                    await self.count_held()
                    await self.count_erasures()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                self._held.warn(error=repr(error))
                pause = LONGEST_SLEEP
            await asyncio.sleep(pause)

    async def count_held(self) -> None:
        """Tell how many conversations are held; beyond some it no longer matters how many."""
        self._held_conversations.set(len(await self._store.held_conversations(None, MOST_COUNTED)))

    async def count_erasures(self) -> None:
        """Tell how long the oldest erasure has been under way, and which it is where that is too long."""
        oldest = await self._store.oldest_erasure()
        self._erasures.set(oldest.seconds if oldest else 0.0)
        if oldest and oldest.seconds > LONGEST_ERASURE:
            self._unfinished.warn(erasure=oldest.id, seconds=str(round(oldest.seconds)))

    async def fire_due(self) -> float:
        """Fire what is due; seconds until the next look."""
        held = sorted(self._loop.assigned)
        if not held:
            return LONGEST_SLEEP
        found = await self._store.due_timers(held)
        self._due.set(sum(timers.due for timers in found))
        is_free = [await self._fire_some(timers.part) for timers in found if timers.due]
        return _pause(found) if all(is_free) else GIVE_WAY_SECONDS

    async def _fire_some(self, part: int) -> bool:
        """Fire what the partition may have. False where that is a few of each project, or none."""
        is_free = sum(self._loop.lag().values()) < BEHIND
        if is_free:
            await self._loop.transact(part, self._fire(part, AT_ONCE))
        elif self._may_fire_few(part):
            await self._loop.transact(part, self._fire(part, FEW))
        return is_free

    def _may_fire_few(self, part: int) -> bool:
        if time.monotonic() < self._next_few.get(part, 0.0):
            return False
        self._next_few[part] = time.monotonic() + FEW_SECONDS
        return True

    async def fire_lost(self) -> None:
        """Fire again what was fired and never applied, where nothing waits to be applied."""
        lag = self._loop.lag()
        idle = sorted(part for part in self._loop.assigned if lag.get(part) == 0)
        for part in await self._store.lost_timers(idle, LOST_SECONDS) if idle else ():
            await self._loop.transact(part, self._fire_again(part))

    def _fire_again(self, part: int) -> Save:
        async def save(connection: Connection) -> list[Outgoing]:
            lost = await self._store.fire_lost_timers(part, AT_ONCE, LOST_SECONDS, connection)
            log.warning("timers.fired_again", partition=part, count=len(lost))
            return [record_of(timer, self._loop.topic) for timer in lost]

        return save

    def _fire(self, part: int, each: int) -> Save:
        async def save(connection: Connection) -> list[Outgoing]:
            fired = await self._store.fire_timers(part, AT_ONCE, connection, each)
            self._fired.inc(len(fired))
            return [record_of(timer, self._loop.topic) for timer in fired]

        return save


def _pause(found: list[DueTimers]) -> float:
    if any(timers.due > AT_ONCE for timers in found):
        return 0
    coming = [timers.seconds for timers in found if timers.seconds is not None and not timers.due]
    return min([LONGEST_SLEEP, *(max(0.0, seconds) for seconds in coming)])


def record_of(timer: FiredTimer, topic: str) -> Outgoing:
    """The event of a timer whose moment has come."""
    now = now_text()
    bot_id, channel_id, peer_id = split_conversation_key(timer.key)
    body = inbound.TimerFired(
        project_id=timer.project_id,
        bot_id=bot_id,
        channel_id=channel_id,
        peer_id=peer_id,
        received_at=now,
        timer_id=timer.id,
        wait=timer.wait,
    )
    about = headers(
        id=derived_id("timer", timer.id),
        type="inbound.timer",
        source="switchhook/flow-engine",
        time=now,
        project=timer.project_id,
    )
    return Outgoing(topic, timer.key.encode(), body.encode(), about)
