"""An event loop whose time is a number: when nothing is ready it is at once the moment of the next timer.

Each callback belongs to the machine in whose context it was made. A machine that is killed runs none of its callbacks any
more, as after SIGKILL: no `finally` of it runs. One that is frozen runs them when it goes on, as after SIGSTOP.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
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
        self.held_up: list[Call] = []
        """What it would have run while it was frozen, or if it still lived."""


MACHINE: ContextVar[Machine | None] = ContextVar("machine", default=None)
"""Whose code is running; None: the world's (servers, networks, people)."""


class Call(asyncio.TimerHandle):
    """A callback that is due, now or at its moment; without what asyncio's own keeps for its debug mode."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., Any], args: Any, context: Context | None) -> None:
        self._callback, self._args, self._cancelled = callback, args, False
        self._context = copy_context() if context is None else context

    def cancel(self) -> None:
        """It does not run; in the heap it stays until its moment."""
        self._cancelled, self._callback, self._args = True, None, None


class NothingLeft(Exception):
    """Nothing is ready and nothing will be: whatever the run waits for never happens."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Single-threaded; what is given to an executor is done at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START
        self._timers: list[tuple[float, int, Call]] = []
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
        self._at(self._now + seconds, Call(do, arguments, self.world))

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

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Call:  # type: ignore[override]
        call = Call(callback, args, context)
        self._ready.append(call)
        return call

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> Call:
        return self._at(self._now + delay, Call(callback, args, context))

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Call:
        return self._at(when, Call(callback, args, context))

    def _at(self, when: float, call: Call) -> Call:
        """Of calls for one moment the first one made is the first to run."""
        self._timers_made += 1
        heapq.heappush(self._timers, (when, self._timers_made, call))
        return call

    def _run_once(self) -> None:
        """All rounds until somebody stops the loop; this is most of what a run costs beside the code that it runs."""
        ready: deque[Call] = self._ready
        while not self._stopping:
            if not ready:
                self._jump(ready)
            call = ready.popleft()
            if call._cancelled:
                continue
            machine = call._context.get(MACHINE)
            if machine is not None and (machine.dead or machine.frozen):
                machine.held_up.append(call)
                continue
            self.steps += 1
            try:
                call._context.run(call._callback, *call._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as asyncio does
                self.call_exception_handler({"message": "a callback failed", "exception": error})

    def _jump(self, ready: deque[Call]) -> None:
        timers, pop = self._timers, heapq.heappop
        while timers and timers[0][2]._cancelled:
            pop(timers)
        if not timers:
            raise NothingLeft
        self._now = now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= now:
            ready.append(pop(timers)[2])
