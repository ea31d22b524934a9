"""Destinations and what waits for them here: one that is slow or does not answer holds up only itself.

Each destination has its own bound of requests at once, rate, pause and circuit, and each project its share of all
requests. What cannot be taken soon is left to PostgreSQL, so that memory stays bounded whatever a destination does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog

from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.requests import RATE_LIMITED
from dispatcher.results.conclusions import seconds_left
from dispatcher.scheduling.destination import LONGEST_WAIT, Destination
from servicekit.observability.current_trace import in_trace
from servicekit.observability.metrics import gauge
from servicekit.shares import Shares, Turns

ROOM_SECONDS = 0.5
"""How long a batch waits at most for a quick destination to make room for it: other projects' deliveries wait in it, too."""
MOST_BYTES = 64 * 1024 * 1024
"""What the payloads of deliveries may take that wait here or are on the wire; past it all others are left to PostgreSQL."""
SLOW_SHARE = 0.75
"""Slow destinations may hold this share of all requests at once; the rest is for the others."""

log = structlog.get_logger()


class Destinations:
    """Starts attempts as destinations can take them. `attempt` does one and never raises; `record` takes its result.

    `starved()` is called when a destination has room again that left deliveries in PostgreSQL for want of it. While `full()`
    no attempt is begun: so many results wait to be saved already. The next `offer` after that goes on.
    """

    def __init__(
        self,
        attempt: Callable[[Delivery], Coroutine[Any, Any, Result]],
        record: Callable[[Result], None],
        limits: Callable[[str], Limits],
        *,
        most: int,
        starved: Callable[[], None] = lambda: None,
        full: Callable[[], bool] = lambda: False,
    ) -> None:
        self._attempt, self._recorded, self._limits, self._most = attempt, record, limits, most
        self._bytes, self._stretches_end = 0, False
        self._starved, self._full = starved, full
        self._held_up: set[str] = set()
        self._destinations: dict[str, Destination] = {}
        self._shares, self._stalled = Shares(most), Turns[Destination]()
        self._tasks: set[asyncio.Task[None]] = set()
        self._progress = asyncio.Event()
        self.replicas = 1
        self.on_the_wire: dict[UUID, Delivery] = {}
        """What is being sent now."""
        self.in_a_stretch: set[str] = set()
        """Lanes whose next delivery waits here or is being sent although the one before it may not be saved yet."""
        self._gauge = gauge("switchhook_in_flight")

    def destination(self, name: str) -> Destination:
        """The destination of that name, with the limits that hold now, shared among the live replicas."""
        found = self._destinations.get(name)
        whole = self._limits(name)
        if found is None:
            found = self._destinations[name] = Destination(name)
        found.limit(whole, self.replicas, time.monotonic())
        return found

    def room(self, name: str, project: str) -> int:
        """How many of the project's deliveries for it may be leased by this process now."""
        destination, now = self.destination(name), time.monotonic()
        if self._bytes >= MOST_BYTES or not self._may_take(destination, project, now):
            return 0
        return destination.room(now)

    def stretches(self, ended: Iterable[Delivery]) -> dict[str, int]:
        """How many of these deliveries' lanes may be leased together, as far as there is room for more than one of each."""
        rooms, stretches = dict[str, int](), dict[str, int]()
        for each in ended:
            room = rooms.get(each.destination)
            if room is None:
                room = self.room(each.destination, each.project_id)
            stretches[each.lane or ""] = length = max(1, min(self.longest_stretch(each), room))
            rooms[each.destination] = room - length
        return stretches

    def longest_stretch(self, delivery: Delivery) -> int:
        """How many of its lane may be leased together, whatever room there is."""
        return 1 if self._stretches_end else self.destination(delivery.destination).stretch(delivery.kind.stretch)

    def end_stretches(self) -> None:
        """Have nothing sent any more before what stands before it in its lane is saved: the process stops."""
        self._stretches_end = True
        for destination in self._destinations.values():
            for each in destination.waiting:
                self._forget_following(destination, each)
        for each in self.on_the_wire.values():
            self._forget_following(self._destinations[each.destination], each)

    async def make_room(self, wanted: Mapping[str, int]) -> None:
        """Wait while a quick destination is full of what it will have taken in a moment; no other is waited for."""
        deadline = time.monotonic() + ROOM_SECONDS
        while (now := time.monotonic()) < deadline:
            known = ((self.destination(name), count) for name, count in wanted.items())
            if not any(each.soon_has_room(count, ROOM_SECONDS, now) for each, count in known):
                return
            self._progress.clear()
            try:
                async with asyncio.timeout(deadline - now):
                    await self._progress.wait()
            except TimeoutError:
                return

    def closed_for(self, name: str) -> float:
        """Seconds until the destination may be asked again."""
        return self.destination(name).closed_for(time.monotonic())

    def left_behind(self, name: str) -> None:
        """Deliveries for it were left in PostgreSQL: `starved` is to be called when it has room."""
        self.destination(name).starving = True

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take leased deliveries; each gets an attempt, or is given back by `record`."""
        touched: dict[str, Destination] = {}
        for delivery in deliveries:
            destination = touched.get(delivery.destination)
            if destination is None:
                destination = touched[delivery.destination] = self.destination(delivery.destination)
            destination.waiting.append(delivery)
            destination.behind += len(delivery.following)
            self._bytes += _size(delivery)
        if self._held_up and not self._full():
            touched |= {name: self._destinations[name] for name in self._held_up}
            self._held_up.clear()
        for destination in touched.values():
            self._pump(destination)

    def drop(self, mine: Callable[[Delivery], bool]) -> None:
        """Forget waiting deliveries that are another's now, and what would follow one that is on the wire."""
        for destination in self._destinations.values():
            if any(map(mine, destination.waiting)):
                for each in filter(mine, destination.waiting):
                    self._forget(destination, each)
                destination.waiting = deque(each for each in destination.waiting if not mine(each))
        for each in filter(mine, self.on_the_wire.values()):
            self._forget_following(self._destinations[each.destination], each)

    def _forget(self, destination: Destination, delivery: Delivery) -> None:
        """It is not in hand any more, and what would follow it neither."""
        self._forget_following(destination, delivery)
        self._bytes -= len(delivery.payload)
        self.in_a_stretch.discard(delivery.lane or "")

    def _forget_following(self, destination: Destination, delivery: Delivery) -> None:
        """The rest of a stretch stays as it is in the database: blocked, and leased to nobody who would send it."""
        if not delivery.following:
            return
        destination.behind -= len(delivery.following)
        self._bytes -= sum(len(each.payload) for each in delivery.following)
        delivery.following = ()

    def pause(self, name: str, seconds: float) -> None:
        """The destination wants to be left alone for so long."""
        destination = self.destination(name)
        destination.paused_until = max(destination.paused_until, time.monotonic() + seconds)
        self._pump(destination)

    def resume(self, name: str) -> None:
        """Its entity changed: what was found about the old one does not hold any more."""
        destination = self._destinations.get(name)
        if destination is not None:
            destination.paused_until = 0.0
            destination.breaker.succeeded()
            self._pump(destination)

    def forget_idle(self) -> None:
        """Forget destinations of which nothing is known that matters."""
        now = time.monotonic()
        for name in [name for name, each in self._destinations.items() if each.idle(now) and name not in self._held_up]:
            del self._destinations[name]

    async def drained(self, seconds: float) -> None:
        """Wait for what is on the wire, at most so long."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def _may_take(self, destination: Destination, project: str, now: float) -> bool:
        """Whether the project may have one more place; where it is beyond the share of slow destinations, for a quick one."""
        takes = self._shares.may_take
        return takes(project, self._most * SLOW_SHARE) or (takes(project) and destination.quick(now))

    def _pump(self, destination: Destination) -> None:
        """Start what may start; what has to wait too long goes back."""
        while (delivery := self._next(destination)) is not None:
            task = asyncio.create_task(self._run(destination, delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self, destination: Destination) -> Delivery | None:
        """The destination's next delivery as one that is on the wire, if one may start now."""
        if destination.chats_until:
            self._hold_chats(destination)
        if not destination.waiting or len(destination.began) >= destination.limits.in_flight:
            return None
        if self._full():
            self._held_up.add(destination.name)
            return None
        now = time.monotonic()
        wait = destination.closed_for(now)
        if wait > LONGEST_WAIT:
            self._give_back(destination)
            return None
        if wait == 0 and not destination.breaker.allows(now):
            return None  # A probe is under way; its end looks again.
        project = destination.waiting[0].project_id
        if not self._may_take(destination, project, now):
            self._stall(destination, project)
            return None
        wait = wait or (destination.bucket.take(now) if destination.bucket else 0.0)
        if wait > 0:
            self._later(destination, wait)
            return None
        delivery = destination.waiting.popleft()
        destination.began[delivery.key] = now
        destination.breaker.started()
        self.on_the_wire[delivery.key] = delivery
        self._shares.take(delivery.project_id)
        return delivery

    async def _run(self, destination: Destination, first: Delivery) -> None:
        """One request after the other, as long as the destination has some and takes them."""
        delivery: Delivery | None = first
        while delivery is not None:
            try:
                result = await self._attempt(delivery)
            finally:
                destination.ended(delivery.key, time.monotonic())
                self.on_the_wire.pop(delivery.key, None)
                self._shares.give(delivery.project_id)
            self._learn(destination, result)
            self._record(destination, result)
            if self._stalled:
                self._go_on()
            delivery = self._next(destination)
            self._look_around(destination)

    def _look_around(self, destination: Destination) -> None:
        """An attempt ended: others may have waited for that."""
        self._progress.set()
        if destination.waiting:
            self._pump(destination)
        if destination.starving and len(destination.waiting) + destination.behind < destination.limits.in_flight:
            destination.starving = False
            self._starved()

    def _stall(self, destination: Destination, project: str) -> None:
        """It goes on when there is a place for its project."""
        if not destination.stalled:
            destination.stalled = True
            self._stalled.add(project, destination)

    def _go_on(self) -> None:
        """A place is free: it is for the next project that waits for one and may have it, before who had it last."""
        refused = set[str]()
        while found := self._stalled.next(lambda each: each not in refused and self._shares.may_take(each)):
            project, destination = found
            destination.stalled, before = False, len(self.on_the_wire)
            self._pump(destination)
            if len(self.on_the_wire) > before:
                return
            if destination.stalled:  # A slow one, of which there are as many as may be.
                refused.add(project)

    def _learn(self, destination: Destination, result: Result) -> None:
        """What the attempt says about the destination itself, and about a conversation that it was too much for."""
        chat = result.delivery.conversation
        if result.chat_waits and chat:
            all_refused = destination.limited(chat, result.chat_waits, time.monotonic())
            if result.chat_or_bot and all_refused:
                result.pause, result.pause_reason = result.chat_waits, RATE_LIMITED
                destination.refused_in_a_row.clear()
        elif result.outcome == "succeeded":
            destination.refused_in_a_row.clear()
        if result.pause:
            destination.paused_until = max(destination.paused_until, time.monotonic() + result.pause)
        if result.attempt is None:
            destination.breaker.abandoned()
        elif not result.destination_failed:
            result.circuit = None if destination.breaker.open_until is None else 0.0
            destination.breaker.succeeded()
        else:
            result.circuit = destination.breaker.failed(time.monotonic())
            if result.circuit is not None:
                with in_trace(result.delivery.traceparent):
                    log.info("circuit.opened", destination=destination.name, seconds=result.circuit)

    def _record(self, destination: Destination, result: Result) -> None:
        """It is in hand no more. What follows in its stretch is the next, before other lanes: leases end."""
        delivery = result.delivery
        following = delivery.following if result.outcome == "succeeded" else ()
        if following:
            self._bytes -= len(delivery.payload)
            following[0].following, delivery.following = following[1:], ()
            destination.behind -= 1
            destination.waiting.appendleft(following[0])
            self.in_a_stretch.add(delivery.lane or "")
            result.goes_on = True
        else:
            self._forget(destination, delivery)
        self._recorded(result)

    def _give_back(self, destination: Destination) -> None:
        """They stay due: their queue waits, and are found when the destination answers again."""
        while destination.waiting:
            delivery = destination.waiting.popleft()
            self._record(destination, Result(delivery, "deferred", code="destination-waits", delay=0.0))

    def _hold_chats(self, destination: Destination) -> None:
        """What would be next is for a conversation that has to wait: back until then, and the others go on."""
        waiting = destination.waiting
        while waiting and (seconds := self._chat_waits(destination, waiting[0])) > 0:
            self._record(destination, Result(waiting.popleft(), "deferred", code="chat-limited", delay=seconds))

    @staticmethod
    def _chat_waits(destination: Destination, delivery: Delivery) -> float:
        """Not past the end of its own time: an attempt ends it then."""
        seconds = destination.chat_waits(delivery.conversation, time.monotonic())
        left = seconds_left(delivery, datetime.now(UTC))
        return seconds if left is None else min(seconds, left)

    def _later(self, destination: Destination, seconds: float) -> None:
        if destination.timer is not None:
            return

        def wake() -> None:
            destination.timer = None
            self._pump(destination)

        destination.timer = asyncio.get_running_loop().call_later(seconds, wake)


def _size(delivery: Delivery) -> int:
    """Bytes that it and what follows it have in hand."""
    return len(delivery.payload) + sum([len(each.payload) for each in delivery.following])
