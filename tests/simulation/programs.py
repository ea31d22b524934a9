"""In place of the processes for programs: workers and code nodes, whose tasks take virtual time that the seed decides.

Steps of the interpreter are made by the real target of the workers, in this process. A code node is not run: it comes to
what the flows of `tenants` would have it come to. How long a turn's programs take belongs to its event, as it does where
the code is slow; that a worker ends under a task belongs to the moment.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from flow_engine.programs.worker import Step, StepWorker
from flowlang.model import RunCode
from flowtools.sandbox import MakeUrl
from servicekit.shares import Places
from servicekit.workers.forking import TOO_LONG, ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Asks, Ended, TaskFailed
from simulation.tenants import COUNT_IN_CODE, SLOW

if TYPE_CHECKING:
    from simulation.world import World

START_SECONDS = (0.2, 1.5)
"""Until a process that has just started has its first worker: others have to import what it needs."""
FORK_SECONDS = 0.005
TASK_SECONDS, SLOW_TASK_SECONDS = (0.0003, 0.003), (0.05, 1.8)
BUSY_TASK_SECONDS, BUSY_CODE_SECONDS = (0.02, 0.3), (0.012, 0.045)
"""Longer than a batch waits; the code no longer than costs its project nothing."""
CODE_SECONDS, SLOW_CODE_SECONDS = (0.004, 0.009), (0.03, 0.2)
"""The longest is where the sandbox ends it. Ordinary code is ready while its batch waits."""
CPU_SECONDS = 0.002
MOST_ENDED = 4
"""Tasks that end their worker, of one process: those of a project whose programs always do it are refused at last."""


@dataclass(frozen=True)
class Pace:
    """Of the programs. Shares are of the events' turns, of the tasks, and of the times that a worker is asked for."""

    slow: float = 0.0
    fails: float = 0.0
    """Of the code nodes."""
    ended: float = 0.0
    none_there: float = 0.0
    busy: float = 0.0
    """Of the tasks that take long this time, as where the machine has much to do: made again, they may be ready at once."""


class Workers:
    """servicekit.workers.pool.WorkerPool of one process."""

    def __init__(self, world: World, steps: StepWorker, most: int) -> None:
        """`steps`: what each of its workers does, and has learnt: what one of them is told, all know."""
        self._world, self.steps, self._room = world, steps, Places(most)
        self._there_at = world.loop.time() + world.chance.uniform(*START_SECONDS)
        self.ended = 0

    @contextlib.asynccontextmanager
    async def worker(self, project: str = "", *, fresh: bool = False) -> AsyncIterator[Asks]:
        world = self._world
        async with self._room.of(project):
            if world.pace.none_there and world.network.happens(world.pace.none_there):
                raise ForkerGone
            await asyncio.sleep(max(FORK_SECONDS if fresh else 0.0, self._there_at - world.loop.time()))
            yield _Worker(self, world, fresh=fresh)


class _Worker:
    def __init__(self, workers: Workers, world: World, *, fresh: bool) -> None:
        self._workers, self._world, self._fresh = workers, world, fresh

    async def ask(self, task: Any, limits: Limits) -> tuple[Any, float]:
        """One that is fresh ends its task: what has ended two workers is refused, and nobody could count on it."""
        if isinstance(task, Step):
            if not self._fresh and self._ends():
                await self._end(limits)
            longer = _more(self._world, BUSY_TASK_SECONDS)
            await asyncio.sleep(max(_task_seconds(self._world, task.happening.id), longer))
        try:
            return self._workers.steps(task, lambda: None), CPU_SECONDS
        except Exception as error:
            raise TaskFailed(f"{type(error).__name__}: {error}") from error

    def _ends(self) -> bool:
        share = self._world.pace.ended
        return bool(share) and self._workers.ended < MOST_ENDED and self._world.network.happens(share)

    async def _end(self, limits: Limits) -> None:
        """Somebody kills it, or it never ends."""
        self._workers.ended += 1
        by_limit = self._world.network.happens(0.5)
        await asyncio.sleep(limits.seconds * (1 if by_limit else self._world.chance.random()))
        why = TOO_LONG if by_limit else "its process was killed"
        self._world.trace(f"a worker ends: {why}")
        raise Ended(why, by_limit=by_limit, progress=1)


class Sandbox:
    """flowtools.sandbox.RunsCode of one process."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def run(self, code: RunCode, make_url: MakeUrl) -> dict[str, Any]:
        """The person's next count, or a failure where the code may fail."""
        seed, pace = Random(f"{self._world.seed} {code.seed}"), self._world.pace
        slow = seed.random() < pace.slow
        seconds = seed.uniform(*(SLOW_CODE_SECONDS if slow else CODE_SECONDS))
        await asyncio.sleep(max(seconds, _more(self._world, BUSY_CODE_SECONDS)))
        if code.source == COUNT_IN_CODE and seed.random() < pace.fails:
            return _result(code, ok=False, error="time limit exceeded")
        return _result(code, ok=True, value=(code.inputs["user"].get("count") or 0) + 1)


def _result(code: RunCode, **more: Any) -> dict[str, Any]:
    return {"wait": code.wait, "value": None, "sent": [], "runs": [], "error": None} | more


def _more(world: World, seconds: tuple[float, float]) -> float:
    """That it takes this time, where the machine has much to do."""
    busy = world.pace.busy
    return world.chance.uniform(*seconds) if busy and world.network.happens(busy) else 0.0


def _task_seconds(world: World, event_id: str) -> float:
    seed = Random(f"{world.seed} {event_id}")
    slow = event_id.startswith(SLOW) or seed.random() < world.pace.slow
    return seed.uniform(*(SLOW_TASK_SECONDS if slow else TASK_SECONDS))
