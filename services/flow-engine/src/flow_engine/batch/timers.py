"""Fires timers that are due: the partition's owner marks them and writes their records in one transaction.

Due is by the database's clock, which all engines share. A fired timer's event id follows from the timer, so that it fires
once however often it is found; its row stays until a turn applies the event, and an event without a row does nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from contracts import inbound
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.store.port import ConversationStore, DueTimers, FiredTimer
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import counter, gauge
from servicekit.observability.repeats import Repeated

AT_ONCE = 200
"""Timers of a partition that one transaction fires."""
LONGEST_SLEEP = 0.5
"""Seconds; a timer is late by no more than this and what is before it."""

Save = Callable[[Connection], Awaitable[list[Outgoing]]]


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

    async def transact(self, partition: int, save: Save) -> bool:
        """Run `save` in a transaction of the partition's owner, and write what it returns. False: not the owner."""
        ...


class Timers:
    """Looks for due timers of the partitions that the loop holds, until it is cancelled."""

    def __init__(self, loop: HoldsPartitions, store: ConversationStore) -> None:
        self._loop, self._store = loop, store
        self._held = Repeated("timers.held")
        self._fired, self._due = counter("switchhook_timers_fired_total"), gauge("switchhook_due_timers")

    async def run(self) -> None:
        """For ever. Postgres or Kafka being away delays timers and loses none."""
        while True:
            try:
                pause = await self.fire_due()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                self._held.warn(error=repr(error))
                pause = LONGEST_SLEEP
            await asyncio.sleep(pause)

    async def fire_due(self) -> float:
        """Fire what is due; seconds until the next look."""
        held = sorted(self._loop.assigned)
        if not held:
            return LONGEST_SLEEP
        found = await self._store.due_timers(held)
        self._due.set(sum(timers.due for timers in found))
        for timers in found:
            if timers.due:
                await self._loop.transact(timers.part, self._fire(timers.part))
        return _pause(found)

    def _fire(self, part: int) -> Save:
        async def save(connection: Connection) -> list[Outgoing]:
            fired = await self._store.fire_timers(part, AT_ONCE, connection)
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
