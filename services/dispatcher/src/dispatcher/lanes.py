"""Destinations and what waits for them here: a bad neighbour holds up only itself (guarantee 7).

Each destination has its own bound of requests at once, rate, pause and circuit. What it cannot take soon is left to
Postgres, so that memory stays bounded whatever it does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog

from dispatcher.breaker import Breaker
from dispatcher.model import Delivery, Result
from dispatcher.rate import TokenBucket
from servicekit.metrics import gauge

WAITING_PER_PLACE = 16
"""Deliveries that may wait here for each request that its destination takes at once."""
LONGEST_WAIT = 2.0
"""Seconds that a delivery waits in memory for a pause or a circuit; longer waits are Postgres's."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Limits:
    """What a destination takes: requests at once, and requests a second (None: any)."""

    in_flight: int
    rate: float | None = None


@dataclass(slots=True)
class Destination:
    """One target as this process sees it. `paused_until` is on the monotonic clock."""

    name: str
    limits: Limits
    waiting: deque[Delivery] = field(default_factory=deque)
    in_flight: int = 0
    paused_until: float = 0.0
    breaker: Breaker = field(default_factory=Breaker)
    bucket: TokenBucket | None = None
    timer: asyncio.TimerHandle | None = None

    def closed_for(self, now: float) -> float:
        """Seconds until it may be asked again; 0 when it may be now."""
        return max(self.paused_until - now, self.breaker.waits(now), 0.0)

    def room(self, now: float) -> int:
        """How many more deliveries may wait here."""
        if self.closed_for(now) > LONGEST_WAIT:
            return 0
        places = 1 if self.breaker.open_until is not None else self.limits.in_flight * WAITING_PER_PLACE
        return max(0, places - len(self.waiting) - self.in_flight)


class Lanes:
    """Starts attempts as destinations can take them. `attempt` does one and never raises; `record` takes its result."""

    def __init__(
        self,
        attempt: Callable[[Delivery], Coroutine[Any, Any, Result]],
        record: Callable[[Result], None],
        limits: Callable[[str], Limits],
        *,
        most: int,
    ) -> None:
        self._attempt, self._record, self._limits, self._most = attempt, record, limits, most
        self._destinations: dict[str, Destination] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.replicas = 1
        self.on_the_wire: dict[UUID, Delivery] = {}
        """What is being sent now."""
        self._gauge = gauge("switchhook_in_flight")

    def destination(self, name: str) -> Destination:
        """The destination of that name, with the limits that hold now, shared among the live replicas."""
        found = self._destinations.get(name)
        whole = self._limits(name)
        share = Limits(max(1, -(-whole.in_flight // self.replicas)), whole.rate and whole.rate / self.replicas)
        if found is None:
            found = self._destinations[name] = Destination(name, share)
        if found.limits != share or (found.bucket is None) != (share.rate is None):
            found.limits = share
            found.bucket = TokenBucket(share.rate, max(1.0, share.rate), time.monotonic()) if share.rate else None
        return found

    def room(self, name: str) -> int:
        """How many deliveries for it may be leased by this process now."""
        if len(self.on_the_wire) >= self._most:
            return 0
        return self.destination(name).room(time.monotonic())

    def closed_for(self, name: str) -> float:
        """Seconds until the destination may be asked again."""
        return self.destination(name).closed_for(time.monotonic())

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take leased deliveries; each gets an attempt, or is given back by `record`."""
        touched = {}
        for delivery in deliveries:
            destination = self.destination(delivery.destination)
            destination.waiting.append(delivery)
            touched[destination.name] = destination
        for destination in touched.values():
            self._pump(destination)

    def drop(self, mine: Callable[[Delivery], bool]) -> None:
        """Forget waiting deliveries that are another's now."""
        for destination in self._destinations.values():
            if any(map(mine, destination.waiting)):
                destination.waiting = deque(each for each in destination.waiting if not mine(each))

    def pause(self, name: str, seconds: float) -> None:
        """The destination wants to be left alone for so long."""
        destination = self.destination(name)
        destination.paused_until = max(destination.paused_until, time.monotonic() + seconds)
        self._pump(destination)

    async def drained(self, seconds: float) -> None:
        """Wait for what is on the wire, at most so long."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)

    def _pump(self, destination: Destination) -> None:
        """Start what may start; what has to wait too long goes back."""
        while destination.waiting and destination.in_flight < destination.limits.in_flight:
            now = time.monotonic()
            wait = destination.closed_for(now)
            if wait > LONGEST_WAIT:
                self._give_back(destination, wait)
                return
            if wait == 0 and not destination.breaker.allows(now):
                return  # A probe is under way; its end pumps again.
            wait = wait or (destination.bucket.take(now) if destination.bucket else 0.0)
            if wait > 0:
                self._later(destination, wait)
                return
            self._start(destination, destination.waiting.popleft())

    def _start(self, destination: Destination, delivery: Delivery) -> None:
        destination.in_flight += 1
        destination.breaker.started()
        self.on_the_wire[delivery.key] = delivery
        self._gauge.set(len(self.on_the_wire))
        task = asyncio.create_task(self._run(destination, delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, destination: Destination, delivery: Delivery) -> None:
        try:
            result = await self._attempt(delivery)
        finally:
            destination.in_flight -= 1
            self.on_the_wire.pop(delivery.key, None)
        self._learn(destination, result)
        self._record(result)
        self._pump(destination)

    def _learn(self, destination: Destination, result: Result) -> None:
        """What the attempt says about the destination itself."""
        if result.pause:
            destination.paused_until = max(destination.paused_until, time.monotonic() + result.pause)
        if result.attempt is None:
            destination.breaker.abandoned()
        elif result.healthy:
            destination.breaker.succeeded()
        else:
            opened = destination.breaker.failed(time.monotonic())
            if opened is not None:
                log.info("circuit.opened", destination=destination.name, seconds=opened)

    def _give_back(self, destination: Destination, wait: float) -> None:
        while destination.waiting:
            delivery = destination.waiting.popleft()
            self._record(Result(delivery, "deferred", code="destination-waits", delay=wait))

    def _later(self, destination: Destination, seconds: float) -> None:
        if destination.timer is not None:
            return

        def wake() -> None:
            destination.timer = None
            self._pump(destination)

        destination.timer = asyncio.get_running_loop().call_later(seconds, wake)
