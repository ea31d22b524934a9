"""An event loop whose time is a number: when nothing is ready it is at once the moment of the next timer.

Each callback belongs to the machine in whose context it was made. A machine that is killed runs none of its callbacks any
more, as after SIGKILL: no `finally` of it runs. One that is frozen runs them when it goes on, as after SIGSTOP.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio import Handle, TimerHandle
from collections.abc import Callable, Iterable
from contextvars import Context, ContextVar, copy_context
from typing import Any

START = 1000.0
"""The first moment: nothing that is kept as 0.0 is young then."""
BURIALS = 10
"""Times that a task is told to end."""


class Machine:
    """A computer with one process on it, from its start to its end; the next process is another Machine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = self.frozen = False
        self.clock = 0.0
        """How far its wall clock is from the true time, seconds."""
        self.held_up: list[Handle] = []
        """What it would have run while it was frozen, or if it still lived."""


MACHINE: ContextVar[Machine | None] = ContextVar("machine", default=None)
"""Whose code is running; None: the world's (servers, networks, people)."""


class NothingLeft(Exception):
    """Nothing is ready and nothing will be: whatever the run waits for never happens."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Single-threaded; what is given to an executor is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._timers_made = 0
        self.steps = 0
        self.world: Context = copy_context()
        self.failures: list[str] = []
        self.set_exception_handler(self._failed)
        self.tasks: list[asyncio.Task[Any]] = []
        """All of them: one that is collected before it has ended would run its `finally` then, whenever that is."""
        self.set_task_factory(self._make_task)

    def _make_task(self, loop: asyncio.AbstractEventLoop, work: Any, **more: Any) -> asyncio.Task[Any]:
        task = asyncio.Task(work, loop=loop, **more)
        self.tasks.append(task)
        return task

    def time(self) -> float:
        return self._now

    def go_on(self, machine: Machine) -> None:
        """End a machine's freeze."""
        machine.frozen = False
        self._ready.extend(machine.held_up)  # type: ignore[attr-defined]
        machine.held_up.clear()

    def later(self, seconds: float, do: Callable[..., Any], *arguments: Any) -> None:
        """Have the world do something."""
        self.call_later(seconds, do, *arguments, context=self.world)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it is the caller's
            done.set_exception(error)
        return done

    def bury(self, machines: Iterable[Machine]) -> None:
        """After the run: let all that was killed or left end, so that nothing of it runs when it is collected."""
        for machine in machines:
            machine.dead = False
            self.go_on(machine)
        for _ in range(BURIALS):
            left = [task for task in self.tasks if not task.done()]
            if not left:
                return
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=60))

    def _write_to_self(self) -> None:
        """There is no selector to wake."""

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(f"{context.get('message')}: {error!r}")

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Handle:
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)  # type: ignore[attr-defined]
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> TimerHandle:
        """Of timers for one moment the first one made is the first to run."""
        timer = TimerHandle(when, callback, args, self, context)
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, timer))
        return timer

    def _timer_handle_cancelled(self, handle: TimerHandle) -> None:
        """It stays in the heap until its moment."""

    def _run_once(self) -> None:
        ready = self._ready  # type: ignore[attr-defined]
        if not ready:
            self._jump(ready)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            machine = handle._context.get(MACHINE)
            if machine is not None and (machine.dead or machine.frozen):
                machine.held_up.append(handle)
                continue
            self.steps += 1
            handle._run()

    def _jump(self, ready: Any) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:  # type: ignore[attr-defined]
            heapq.heappop(timers)
        if not timers:
            raise NothingLeft
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            ready.append(heapq.heappop(timers)[2])
