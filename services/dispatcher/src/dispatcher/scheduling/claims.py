"""Finds what is due, queue by queue, as much as its destination can take: the million rows of one that does not answer are never scanned.

Queues are looked at one project after the other, and of each project one destination after the other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from dispatcher.model.delivery import Delivery, Result
from dispatcher.results.outcomes import Outcomes
from dispatcher.scheduling.destination import LONGEST_WAIT
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.store.port import DeliveryStore, Lease, Queue, Session
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.repeats import Repeated

EVERY_SECONDS = 0.5
SWEEP_SECONDS = 15.0
AT_ONCE = 250
GRACE_SECONDS = 2.0
"""After the database was away nothing is claimed for so long. Leases ran out meanwhile, and who has an outcome under one,
in this process or another, saves it first: it would be sent again otherwise."""
UNPUBLISHED_AGE = timedelta(seconds=20)
"""A result that Kafka has not got for so long is published again; younger ones are on their way."""


class Claims:
    """Looks when `due` is set (by a destination that has room again, or a replay), otherwise every half second.

    `cut_off(delivery)`: the end of one that was cut off and may not be sent twice, else None. `sweep_results(age)`:
    publish the results that a crash left unpublished for longer than `age`.
    """

    def __init__(
        self,
        store: DeliveryStore,
        destinations: Destinations,
        holdings: Holdings,
        outcomes: Outcomes,
        *,
        cut_off: Callable[[Delivery], Result | None],
        due: asyncio.Event,
        sweep_results: Callable[[timedelta], Coroutine[Any, Any, None]],
        lease_seconds: float,
    ) -> None:
        self._store, self._destinations, self._holdings = store, destinations, holdings
        self._outcomes, self._was_away, self._resumes_at = outcomes, False, 0.0
        self._due, self._sweep_results, self._lease_seconds = due, sweep_results, lease_seconds
        self._cut_off = cut_off
        self._held = Repeated("claims.held")
        self._results: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """For ever."""
        try:
            await self._look_for_ever()
        finally:
            if self._results is not None:
                self._results.cancel()
                await asyncio.gather(self._results, return_exceptions=True)

    async def _look_for_ever(self) -> None:
        swept = 0.0
        while True:
            try:
                if time.monotonic() - swept > SWEEP_SECONDS:
                    await self._sweep(first=swept == 0.0)
                    swept = time.monotonic()
                more = await self.once()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                self._held.warn(error=repr(error))
                self._was_away, more = True, False
            if not more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(EVERY_SECONDS):
                        await self._due.wait()
            self._due.clear()

    async def once(self) -> bool:
        """Claim what is due and has room; whether there is surely more."""
        async with self._store.session() as session:
            asked = time.monotonic()
            queues = await session.due_queues(self._holdings.sources)
            self._was_away |= time.monotonic() - asked > GRACE_SECONDS
            if self._outcomes_come_first():
                return False
            claimed = [await self._claim(session, queue) for queue in queues]
        return any(claimed)

    def _outcomes_come_first(self) -> bool:
        now = time.monotonic()
        if self._was_away:
            self._was_away, self._resumes_at = False, now + GRACE_SECONDS
        return self._outcomes.stuck or now < self._resumes_at

    async def _claim(self, session: Session, queue: Queue) -> bool:
        name = queue.destination
        closed = self._destinations.closed_for(name)
        if closed > LONGEST_WAIT:
            await session.look_later(queue, closed)
            # It may answer again since, which nobody else says once more.
            if self._destinations.closed_for(name) <= LONGEST_WAIT:
                await session.look_again(queue)
            return False
        room = min(self._destinations.room(name, queue.project_id), AT_ONCE)
        if room == 0:
            self._destinations.left_behind(name)
            return False
        claimed = await session.claim(queue, room, Lease(self._lease_seconds))
        if len(claimed) < room:
            await session.look_again(queue)
        else:
            self._destinations.left_behind(name)
        ended = [(one, self._cut_off(one)) for one in claimed]
        for _, result in ended:
            if result is not None:
                self._outcomes.add(result)
        self._destinations.offer([one for one, result in ended if result is None])
        return len(claimed) == room

    async def _sweep(self, *, first: bool) -> None:
        """What a crash left: queues thought empty, results that Kafka never got."""
        async with self._store.session() as session:
            await session.sweep_queues()
            await session.sweep_lanes()
        if self._results is not None and not self._results.done():
            return  # Kafka is slow: claiming does not wait for it.
        ended, self._results = self._results, None
        if ended is not None:
            ended.result()
        self._results = asyncio.create_task(self._sweep_results(timedelta(0) if first else UNPUBLISHED_AGE))
