"""The socket to one worker."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
from typing import Any, NamedTuple, cast

from servicekit.workers.frames import ANSWER, DONE, TASK


class Limits(NamedTuple):
    """Of one task: seconds of CPU, and seconds."""

    cpu: float
    seconds: float


class Gone(Exception):
    """The worker has ended."""


class Line(asyncio.Protocol):
    """`forked_by`: the forker that knows the worker. `is_ended`: it was waited for."""

    def __init__(self) -> None:
        self.pid = 0
        self.forked_by: subprocess.Popen[bytes] | None = None
        self.is_ended = False
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[bool, Any, float]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it.

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a task."""
        return (
            not self.is_ended and self._transport is not None and (self._answer is None or _is_answered(self._answer))
        )

    def ask(self, task: Any, limits: Limits) -> asyncio.Future[tuple[bool, Any, float]]:
        """(whether it was done, its result or its exception's text, seconds of CPU). Raises Gone."""
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            self._answer.set_exception(Gone())
            return self._answer
        packed = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
        self._transport.write(TASK.pack(len(packed), *limits) + packed)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= ANSWER.size:
            kind, size = ANSWER.unpack_from(self._buffer)
            if len(self._buffer) < ANSWER.size + size:
                return
            answer, cpu = pickle.loads(self._buffer[ANSWER.size : ANSWER.size + size])  # noqa: S301 (our own worker)
            del self._buffer[: ANSWER.size + size]
            if self._answer is not None and not self._answer.done():
                self._answer.set_result((kind == DONE, answer, cpu))

    def connection_lost(self, exception: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Gone())

    def close(self) -> None:
        """The worker ends, if it waits for a task."""
        if self._transport is not None:
            self._transport.abort()


def _is_answered(answer: asyncio.Future[tuple[bool, Any, float]]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None
