"""The service's side of simulations: a project has one at a time, in worker processes and a sandbox of their own."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from flow_engine.simulating.worker import MOST_ANSWERED, Simulate, TooMuch, Unsound
from flowlang.model import RunCode
from flowlang.simulation.stage import links_of
from flowtools.sandbox import Sandbox
from servicekit.shares import Shares
from servicekit.web.problems import ProblemError, unavailable
from servicekit.workers.allowances import Allowances, AllowanceSpent
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Ended, HasWorkers

LIMITS = Limits(cpu=3.0, seconds=10.0)
"""Of playing a script once."""
MOST_RUNS = 32
"""Code nodes that a script may come to: it is played anew for each."""
MOST_WAITING = 32
"""Callers of all projects together; see servicekit.shares.Shares."""
MOST_CPU, CPU_RATE = 10.0, 0.2
"""Seconds of CPU that a project's simulations may take at once, and more of it each second."""


class Simulator:
    """One per process. `workers` are those of simulating.worker.TARGET."""

    def __init__(self, workers: HasWorkers) -> None:
        self._workers = workers
        self._waiting = Shares(MOST_WAITING)
        self._allowances = Allowances(free=0.05, most=MOST_CPU, rate=CPU_RATE)
        self._stack, self._starting = AsyncExitStack(), asyncio.Lock()
        self._sandbox: Sandbox | None = None

    async def close(self) -> None:
        """End the sandbox."""
        await self._stack.aclose()

    async def simulate(self, project: str, task: Simulate) -> bytes:
        """What became of it, JSON. Raises ProblemError."""
        if not self._waiting.may_take(project):
            raise _later("Too many simulations of this project wait.")
        self._waiting.take(project)
        try:
            return await self._played(project, task)
        except AllowanceSpent as error:
            raise _later(f"{str(error)[:1].upper()}{str(error)[1:]}.") from error
        except ForkerGone as error:
            raise unavailable("No process can be started that would simulate it.") from error
        except Ended as ended:
            if not ended.by_limit:
                raise unavailable(f"The simulation was not made: {ended}.") from ended
            raise _too_costly(f"it was given up: {ended}") from ended
        finally:
            self._waiting.give(project)

    async def _played(self, project: str, task: Simulate) -> bytes:
        async with self._workers.worker(project) as worker:
            for _ in range(MOST_RUNS + 1):
                self._allowances.check(project)
                answer, cpu = await worker.ask(task, LIMITS)
                self._allowances.spend(project, cpu)
                if isinstance(answer, RunCode):
                    task = task._replace(results=(*task.results, await self._run(answer)))
                elif isinstance(answer, Unsound):
                    problems = list(answer.problems)
                    detail = problems[0]["detail"]
                    raise ProblemError("flow-invalid", 422, "The flow has errors", detail, errors=problems)
                elif isinstance(answer, TooMuch):
                    raise _too_costly(f"what became of it has more than {MOST_ANSWERED >> 20} MiB")
                else:
                    told: bytes = answer
                    return told
        raise _too_costly(f"it comes to more than {MOST_RUNS} code nodes")

    async def _run(self, code: RunCode) -> dict[str, Any]:
        async with self._starting:
            if self._sandbox is None:
                self._sandbox = await self._stack.enter_async_context(Sandbox(1))
        return await self._sandbox.run(code, links_of(code))


def _later(detail: str) -> ProblemError:
    return ProblemError("too-many-requests", 429, "Too many requests", detail, headers={"Retry-After": "2"})


def _too_costly(why: str) -> ProblemError:
    return ProblemError("simulation-too-costly", 422, "Simulation too costly", f"Simulate less at a time: {why}.")
