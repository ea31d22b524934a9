"""The queue between attempts and the recorder: results that are to be saved, and lanes whose head is to be looked at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import NamedTuple

from dispatcher.model.delivery import Delivery, Result

BATCH_WINDOW_SECONDS = 0.02
"""What a result waits for others when nobody waits for it, neither a conversation nor the next of its lane: a transaction for
each would cost more than its request."""
MOST = 5000
"""Results that may wait to be saved until no more attempts are begun. Those that are under way then come on top. It is for a
database that is away: a burst that is sent faster than saved would be slowed down by a thousand (docs/performance.md)."""


class Batch(NamedTuple):
    """What is saved together."""

    results: list[Result]
    lanes: set[str]


class Outcomes:
    """`add` and `look_after` put in; the recorder waits for `some`, takes a `batch`, and says whether it was `saved`.

    `full`: with so many results there is no waiting for more.
    """

    def __init__(self, full: int) -> None:
        self._full = full
        self._results: list[Result] = []
        self._lanes: set[str] = set()
        self.stuck = False
        """The last try to save failed."""
        self._work, self._hurry, self._empty = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._empty.set()

    def deliveries(self) -> list[Delivery]:
        """Those whose results are not saved yet."""
        return [each.delivery for each in self._results]

    def lanes_after(self, batch: int) -> set[str]:
        """Lanes of results that come after those of a batch of so many: what they say is not saved with it."""
        return {lane for each in self._results[batch:] if (lane := each.delivery.lane) is not None}

    def __len__(self) -> int:
        return len(self._results) + len(self._lanes)

    def full(self) -> bool:
        """Whether no more attempts should be begun."""
        return len(self._results) >= MOST

    def add(self, result: Result) -> None:
        """Have a result saved, if the delivery's lease is still ours then."""
        self._results.append(result)
        lane_waits = result.delivery.lane is not None and not result.goes_on
        somebody_waits = lane_waits or not result.delivery.kind.batched
        if len(self._results) == 1:
            self._begin()
        if somebody_waits or len(self._results) >= self._full:
            self._hurry.set()

    def look_after(self, lanes: Iterable[str]) -> None:
        """Have it looked at whether the head of these lanes is blocked: it may have been put behind one that just ended."""
        self._lanes.update(lanes)
        if self._lanes:
            self._begin()
            self._hurry.set()

    def _begin(self) -> None:
        self._empty.clear()
        self._work.set()

    async def some(self) -> None:
        """Wait until there is something, and a moment longer for more of it, unless somebody waits for it."""
        await self._work.wait()
        if len(self._results) < self._full:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BATCH_WINDOW_SECONDS):
                    await self._hurry.wait()
        self._hurry.clear()

    def batch(self, most: int) -> Batch:
        """The first results and all lanes. A lane that is named again from now on is looked after again."""
        lanes, self._lanes = self._lanes, set()
        return Batch(self._results[:most], lanes)

    def saved(self, batch: Batch) -> None:
        """It is done with."""
        self.stuck = False
        del self._results[: len(batch.results)]
        if not self:
            self._work.clear()
            self._empty.set()

    def unsaved(self, batch: Batch) -> None:
        """It is to come again, at once."""
        self.stuck = True
        self._lanes |= batch.lanes
        self._hurry.set()

    def instead(self, batch: Batch, results: list[Result]) -> None:
        """These results are to come in place of the batch's."""
        self._results[: len(batch.results)] = results
        self._lanes |= batch.lanes
        self._hurry.set()

    async def drained(self) -> None:
        """Wait until nothing is in it, without the moment for more."""
        self._hurry.set()
        await self._empty.wait()
