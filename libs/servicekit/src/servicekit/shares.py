"""Projects share what a process has of something: requests that it sends at once, threads, callers that wait.

What a request holds cannot be taken back from it, so places have to stay free for projects that come later: `Shares` lets
a project take one while it holds fewer than are left. `Turns` is what waits for places, one project after the other.
`Places` is both, for who can wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Shares:
    """`most` places. A project alone gets half of them; n projects that want all get 1/(n + 1) each, and as much is left
    for the next one (dynamic thresholds, as switches share their buffers: Choudhury and Hahne, 1998)."""

    __slots__ = ("_held", "most", "used")

    def __init__(self, most: int) -> None:
        self.most, self.used = most, 0
        self._held: dict[str, int] = {}

    def may_take(self, project: str, of: float | None = None) -> bool:
        """Whether it may have one more. `of`: as if there were only so many places."""
        return self._held.get(project, 0) + self.used < (self.most if of is None else of)

    def take(self, project: str) -> None:
        """It has one more."""
        self._held[project] = self._held.get(project, 0) + 1
        self.used += 1

    def give(self, project: str) -> None:
        """It has one less."""
        left = self._held[project] - 1
        self.used -= 1
        if left:
            self._held[project] = left
        else:
            del self._held[project]


class Turns(Generic[T]):
    """What waits: given out one project after the other, and of each project in the order in which it came."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def add(self, project: str, item: T) -> None:
        """It waits behind what its project has waiting."""
        self._waiting.setdefault(project, deque()).append(item)

    def next(self, may: Callable[[str], bool]) -> tuple[str, T] | None:
        """The first of the next project that `may`, with the project, which is the last one then; None: none may."""
        project = next((each for each in self._waiting if may(each)), None)
        if project is None:
            return None
        waiting = self._waiting.pop(project)
        item = waiting.popleft()
        if waiting:
            self._waiting[project] = waiting
        return project, item


class Places:
    """Places to wait for."""

    def __init__(self, most: int, *, all_for_one: bool = False) -> None:
        """`all_for_one`: none is left for projects that come later, where places are held for moments only."""
        self._shares = Shares(most)
        self._may_take = self._is_free if all_for_one else self._shares.may_take
        self._turns: Turns[asyncio.Future[None]] = Turns()

    def _is_free(self, project: str) -> bool:
        return self._shares.used < self._shares.most

    @asynccontextmanager
    async def of(self, project: str) -> AsyncIterator[None]:
        """Hold a place of the project's inside; waits for it."""
        await self.take(project)
        try:
            yield
        finally:
            self.give(project)

    async def take(self, project: str) -> None:
        """Wait for a place of the project's, which is held until `give`."""
        if self._may_take(project):
            self._shares.take(project)
        else:
            await self._turn(project)

    async def _turn(self, project: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.add(project, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(project)
            raise

    def give(self, project: str) -> None:
        """One that `take` took is free again."""
        self._shares.give(project)
        while (found := self._turns.next(self._may_take)) is not None:
            waiting, turn = found
            if not turn.done():  # Else who waited has given up.
                self._shares.take(waiting)
                turn.set_result(None)
