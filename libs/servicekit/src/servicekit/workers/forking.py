"""The service's side of the forker: its process, and the commands that it is given, one at a time."""

from __future__ import annotations

import asyncio
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from servicekit.workers.frames import COMMAND, END, FORK, LENGTH, REPLY
from servicekit.workers.line import Line
from servicekit.workers.worker import OUT_OF_MEMORY

_OURS = "SWITCHHOOK_"
TOO_LONG = "it took longer than it may"
_BY_LIMIT: dict[int, str] = {signal.SIGPROF: "it took more CPU than it may", signal.SIGALRM: TOO_LONG}


class End(NamedTuple):
    """Why a worker ended, in words for who wrote the program, and whether a limit did it; how far its task was."""

    why: str
    by_limit: bool = False
    progress: int = 0


_KILLED = End("its process was killed")


class ForkerGone(Exception):
    """The forker has ended; the next command starts another one."""


class Forking:
    """Starts its process with the first command."""

    def __init__(self, target: str, settings: Any) -> None:
        self._target, self._settings = target, settings
        self._one_at_a_time = asyncio.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    async def fork(self) -> Line:
        """A new worker. Raises ForkerGone."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                pid, _ = await self._command(FORK, 0, theirs)
            ours.setblocking(False)
            _, line = await loop.create_unix_connection(Line, sock=ours)
        except BaseException:
            ours.close()
            raise
        line.pid, line.forked_by = pid, self._process
        return line

    async def end(self, line: Line) -> End:
        """End a worker, if it lives."""
        if line.is_ended or line.forked_by is not self._process:
            return _KILLED  # With the forker that knew it.
        line.is_ended = True
        try:
            status, progress = await self._command(END, line.pid)
        except ForkerGone:
            return _KILLED
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) == OUT_OF_MEMORY:
            return End("it took more memory than it may", True, progress)
        if os.WIFEXITED(status):
            return End("its process has ended", progress=progress)
        number = os.WTERMSIG(status)
        limit = _BY_LIMIT.get(number)
        return End(limit or f"its process was killed by signal {number}", limit is not None, progress)

    def close(self) -> None:
        """End the forker; workers that do a task end with it, or by their limits."""
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def _command(self, command: bytes, pid: int, brought: socket.socket | None = None) -> tuple[int, int]:
        async with self._one_at_a_time:
            try:
                control = self._control or await self._start()
                socket.send_fds(control, [COMMAND.pack(command, pid)], [brought.fileno()] if brought else [])
                reply = await asyncio.get_running_loop().sock_recv(control, REPLY.size)
            except OSError:
                reply = b""
            except BaseException:
                self.close()  # Its reply would be taken for the next one's.
                raise
            if len(reply) < REPLY.size:
                self.close()
                raise ForkerGone(self._target)
            first, second = REPLY.unpack(reply)
            return first, second

    async def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self._control = ours
        with theirs:
            self._process = subprocess.Popen(  # noqa: ASYNC220, S603 (ourselves; it does not wait)
                [sys.executable, "-P", "-m", "servicekit.workers.forker", str(theirs.fileno()), self._target],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=_without_ours(os.environ),
            )
        ours.setblocking(False)
        settings = pickle.dumps(self._settings, pickle.HIGHEST_PROTOCOL)
        await asyncio.get_running_loop().sock_sendall(ours, LENGTH.pack(len(settings)) + settings)
        return ours


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of workers: the modules that the service has, and none of its settings, of which some are secrets."""
    kept = {name: value for name, value in environment.items() if not name.startswith(_OURS)}
    return kept | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
