"""The twin of servicekit.workers.pool.WorkerPool: tasks are done in the test's process, with the real target."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Asks, Ended, TaskFailed
from servicekit.workers.worker import Do


class WorkersInMemory:
    """`make` makes a worker's Do, one for the first worker and for each fresh one.

    `ends`, where a test sets it, says of (task, progress) whether the worker is ended there, and `by_limit` whether by one
    of its limits; `none_there`: no worker can be had. `asked` are the tasks, each of which takes `cpu` seconds. While `free` is
    not set, none is free.
    """

    def __init__(self, make: Callable[[], Do]) -> None:
        self._make = make
        self._do: Do | None = None
        self.asked: list[Any] = []
        self.free = asyncio.Event()
        self.free.set()
        self.fresh, self.cpu = 0, 0.0
        self.by_limit = self.none_there = False
        self.ends: Callable[[Any, int], bool] = lambda task, progress: False

    @contextlib.asynccontextmanager
    async def worker(self, project: str = "", *, fresh: bool = False) -> AsyncIterator[Asks]:
        await self.free.wait()
        self.fresh += fresh
        if self.none_there:
            raise ForkerGone
        if fresh or self._do is None:
            self._do = self._make()
        yield _Worker(self, self._do)


class _Worker:
    def __init__(self, workers: WorkersInMemory, do: Do) -> None:
        self._workers, self._do = workers, do

    async def ask(self, task: Any, limits: Limits) -> tuple[Any, float]:
        count = 0

        def progress() -> None:
            nonlocal count
            count += 1
            if self._workers.ends(task, count):
                raise _Killed

        self._workers.asked.append(task)
        try:
            if self._workers.ends(task, 0):
                raise _Killed
            return self._do(task, progress), self._workers.cpu
        except _Killed:
            raise Ended("its process was killed", by_limit=self._workers.by_limit, progress=count) from None
        except Exception as error:
            raise TaskFailed(f"{type(error).__name__}: {error}") from error


class _Killed(BaseException):
    """No program catches it."""
