"""Everything between machines and servers: it takes time, and questions and answers get lost."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, TypeVar
from zlib import crc32

from simulation.virtual_loop import MACHINE, Machine, VirtualLoop

T = TypeVar("T")
LOST_SECONDS = 0.3
"""After which a connection that is cut is noticed."""
LATE_SECONDS = 0.6


class Trace:
    """What has happened, in order: its digest, and the lines themselves where somebody wants to read them."""

    def __init__(self, loop: VirtualLoop, *, write: Callable[[str], None] | None = None) -> None:
        self._loop, self._write = loop, write
        self.digest, self.events = 0, 0

    def __call__(self, what: str) -> None:
        machine = MACHINE.get()
        line = f"{self._loop.time():.6f} {machine.name if machine else '-'} {what}"
        self.digest = crc32(line.encode(), self.digest)
        self.events += 1
        if self._write is not None:
            self._write(line)


class Server:
    """Whom machines ask. `down`: nobody answers. `loses`: the share of questions, and of answers, that get lost."""

    def __init__(self, name: str, error: Callable[[str], Exception]) -> None:
        self.name, self.error = name, error
        self.down = False
        self.loses = 0.0
        self.late = 0.0
        """The share of answers that take up to LATE_SECONDS longer."""


class Network:
    """One for a run."""

    def __init__(self, loop: VirtualLoop, chance: random.Random, trace: Trace) -> None:
        self.loop, self.trace = loop, trace
        self._chance = chance
        self.over = False

    def latency(self) -> float:
        """Of one way, seconds: mostly a millisecond, rarely much more."""
        spread = self._chance.random()
        return 0.0005 + 0.001 * spread if spread < 0.95 else 0.02 * self._chance.random() + 0.01

    def back(self, server: Server) -> float:
        """Of an answer on its way, seconds."""
        late = bool(server.late) and self.happens(server.late)
        return self.latency() + (LATE_SECONDS * self._chance.random() if late else 0.0)

    def happens(self, share: float) -> bool:
        """Whether chance has it, in that share of cases."""
        return self._chance.random() < share

    async def ask(self, server: Server, do: Callable[[], T]) -> T:
        """Have the server do something; its result, or what it raises. Raises the server's error when it is down, or when
        the question or the answer is lost. Whoever asked may be killed meanwhile: what is on its way arrives."""
        if self.over:
            raise asyncio.CancelledError
        answer: asyncio.Future[Any] = self.loop.create_future()
        asker = MACHINE.get()
        lost = self._chance.random() if server.loses else 1.0
        if lost < server.loses / 2:
            self._answer(LOST_SECONDS, answer, server.error("the question got lost"), asker)
        else:
            self.loop.later(self.latency(), self._arrived, server, do, answer, lost < server.loses, asker)
        return await answer

    def _arrived(
        self, server: Server, do: Callable[[], T], answer: asyncio.Future[T], lost: bool, asker: Machine | None
    ) -> None:
        if server.down:
            self._answer(LOST_SECONDS, answer, server.error("it is down"), asker)
            return
        try:
            result: Any = do()
        except Exception as error:  # noqa: BLE001 - it is the asker's
            result = error
        if isinstance(result, asyncio.Future):
            result.add_done_callback(lambda done: self._answer(self.latency(), answer, _outcome(done), asker))
            return
        if lost:
            self._answer(LOST_SECONDS, answer, server.error("the answer got lost"), asker)
        else:
            self._answer(self.back(server), answer, result, asker)

    def _answer(self, seconds: float, answer: asyncio.Future[Any], result: Any, asker: Machine | None) -> None:
        if asker is None or not asker.dead:
            self.loop.later(seconds, _deliver, answer, result)


def _outcome(done: asyncio.Future[Any]) -> Any:
    return asyncio.CancelledError() if done.cancelled() else done.exception() or done.result()


def _deliver(answer: asyncio.Future[Any], result: Any) -> None:
    if answer.done():
        return
    if isinstance(result, Exception):
        answer.set_exception(result)
    else:
        answer.set_result(result)
