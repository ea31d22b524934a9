"""The service's side: workers that wait for tasks, one more whenever none does, up to a number."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

from servicekit.shares import Places
from servicekit.workers.forking import TOO_LONG, ForkerGone, Forking
from servicekit.workers.line import Gone, Limits, Line

STOPPED_SECONDS = 1.0
"""How long past its limit a worker is waited for whose own timers do not end it: one that is stopped or swapped out."""


class Ended(Exception):
    """The task's worker has ended; the text says why.

    `by_limit`: by one of its limits, else by somebody else or by itself. `progress`: parts of the task that had begun.
    """

    def __init__(self, why: str, *, by_limit: bool, progress: int = 0) -> None:
        super().__init__(why)
        self.by_limit, self.progress = by_limit, progress


class TaskFailed(Exception):
    """The task raised; the text has its exception's name and text."""


class Asks(Protocol):
    """One worker, as long as it is held."""

    async def ask(self, task: Any, limits: Limits) -> tuple[Any, float]:
        """What the target makes of the task, and the seconds of CPU that it took. Raises Ended and TaskFailed."""
        ...


class HasWorkers(Protocol):
    """What services need of the pool."""

    def worker(self, project: str = "", *, fresh: bool = False) -> contextlib.AbstractAsyncContextManager[Asks]:
        """Hold a worker, when one is free; projects that wait have their turns. `fresh`: one that has done nothing yet."""
        ...


class WorkerPool:
    """Enter it before the first task. Its processes start with the first one, or with `warm`."""

    def __init__(self, target: str, settings: Any = None, *, most: int, all_for_one: bool = True) -> None:
        """`target`: `module:function`; the function takes the settings, which pickle, and returns a worker.Do.

        `all_for_one`: a project may hold all `most` workers; else as servicekit.shares.Shares says, where some are held long.
        """
        self._forking = Forking(target, settings)
        self._room = Places(most, all_for_one=all_for_one)
        self._idle: list[Line] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> WorkerPool:
        return self

    async def __aexit__(self, *exception: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for line in self._idle:
            line.close()
        self._forking.close()

    def warm(self) -> None:
        """Start a worker meanwhile, so that the first task need not wait for the forker's imports."""
        self._in_background(self._add())

    @contextlib.asynccontextmanager
    async def worker(self, project: str = "", *, fresh: bool = False) -> AsyncIterator[Asks]:
        """See HasWorkers. Raises ForkerGone when no process can be had."""
        async with self._room.of(project):
            if fresh and self._idle:
                self._leave(self._idle.pop(0))
            line = await self._taken(fresh=fresh)
            try:
                yield _Worker(line, self._forking)
            finally:
                if line.is_idle:
                    self._idle.append(line)
                else:  # It does what nobody waits for any more, or it has ended.
                    self._leave(line)

    async def _taken(self, *, fresh: bool) -> Line:
        while fresh or (kept := self._kept()) is None:
            line: Line = await asyncio.shield(self._in_background(self._add()))
            if line in self._idle:  # Else another one, which waited as well, was faster.
                self._idle.remove(line)
                return line
        return kept

    def _kept(self) -> Line | None:
        """A worker that waits for a task and lives."""
        while self._idle:
            line = self._idle.pop()
            if line.is_idle:
                return line
            self._leave(line)  # Somebody killed it meanwhile.
        return None

    async def _add(self) -> Line:
        try:
            line = await self._forking.fork()
        except ForkerGone:  # The kernel may have ended it for its memory; a second time in a row is for the caller.
            line = await self._forking.fork()
        self._idle.append(line)
        return line

    @property
    def has_idle(self) -> bool:
        """Whether a worker waits for a task and lives."""
        return any(line.is_idle for line in self._idle)

    def _leave(self, line: Line) -> None:
        line.close()
        if not line.is_ended:
            self._in_background(self._forking.end(line))

    def _in_background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Worker:
    def __init__(self, line: Line, forking: Forking) -> None:
        self._line, self._forking = line, forking

    async def ask(self, task: Any, limits: Limits) -> tuple[Any, float]:
        """See Asks."""
        line = self._line
        try:
            async with asyncio.timeout(limits.seconds + STOPPED_SECONDS):
                done, answer, cpu = await line.ask(task, limits)
        except TimeoutError:
            end = await self._forking.end(line)
            raise Ended(TOO_LONG, by_limit=True, progress=end.progress) from None
        except Gone:
            end = await self._forking.end(line)
            raise Ended(end.why, by_limit=end.by_limit, progress=end.progress) from None
        if not done:
            raise TaskFailed(answer)
        return answer, cpu
