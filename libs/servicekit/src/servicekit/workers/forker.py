"""`python -m servicekit.workers.forker FD TARGET`: imports the target once, then forks a worker whenever it is told to.

It has one thread, no event loop and no connection but the one to its service, so that a fork of it is sound, and takes
milliseconds where a new interpreter takes most of a second. It ends when its service does.
"""

from __future__ import annotations

import gc
import importlib
import mmap
import os
import pickle
import signal
import socket
import sys
from typing import Any

from servicekit.importing import importing
from servicekit.workers.frames import COMMAND, COUNT, FORK, LENGTH, REPLY, receive
from servicekit.workers.worker import Do, work


def main() -> None:
    """Serve until the service closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for ignored in (signal.SIGINT, signal.SIGTERM):  # A service is told to stop with its group, and then drains.
        signal.signal(ignored, signal.SIG_IGN)
    with importing():
        make = _loaded(sys.argv[2])
    size = receive(control, LENGTH.size)
    settings = receive(control, LENGTH.unpack(size)[0]) if size else None
    if settings is None:
        return
    do = make(pickle.loads(settings))  # noqa: S301 (from our own service)
    gc.collect()
    gc.freeze()  # What is shared stays shared: a collection would write into all of it.
    forker = _Forker(control, do)
    while forker.obeys():
        pass


def _loaded(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


class _Forker:
    def __init__(self, control: socket.socket, do: Do) -> None:
        self._control, self._do = control, do
        self._shared: dict[int, mmap.mmap] = {}
        """By the worker's process: memory in which it writes how far it is, and which outlives it."""

    def obeys(self) -> bool:
        """Carry one command out. False when the service has gone."""
        received, sockets, _, _ = socket.recv_fds(self._control, COMMAND.size, 1)
        if len(received) < COMMAND.size:
            return False
        command, pid = COMMAND.unpack(received)
        self._control.sendall(REPLY.pack(*(self._fork(sockets[0]) if command == FORK else self._end(pid))))
        return True

    def _fork(self, line: int) -> tuple[int, int]:
        shared = mmap.mmap(-1, COUNT.size)
        pid = os.fork()
        if not pid:
            self._control.close()
            work(socket.socket(fileno=line), self._do, shared)
        os.close(line)
        self._shared[pid] = shared
        return pid, 0

    def _end(self, pid: int) -> tuple[int, int]:
        """The wait status. Only here is a worker waited for, so its number is nobody else's until then."""
        os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        with self._shared.pop(pid) as shared:
            return status, COUNT.unpack_from(shared)[0]


if __name__ == "__main__":
    main()
