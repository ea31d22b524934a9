"""`python -m servicekit.workers.forker FD TARGET`: imports the target once, then forks a worker whenever it is told to.

It has one thread, no event loop and no connection but the one to its service, so that a fork of it is sound, and takes
milliseconds where a new interpreter takes most of a second. It ends when its service does.
"""

from __future__ import annotations

import gc
import importlib
import os
import pickle
import signal
import socket
import sys
from typing import Any

from servicekit.workers.frames import COMMAND, FORK, LENGTH, REPLY, receive
from servicekit.workers.worker import work


def main() -> None:
    """Serve until the service closes the socket."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for ignored in (signal.SIGINT, signal.SIGTERM):  # A service is told to stop with its group, and then drains.
        signal.signal(ignored, signal.SIG_IGN)
    make = _loaded(sys.argv[2])
    size = receive(control, LENGTH.size)
    settings = receive(control, LENGTH.unpack(size)[0]) if size else None
    if settings is None:
        return
    do = make(pickle.loads(settings))  # noqa: S301 (from our own service)
    gc.collect()
    gc.freeze()  # What is shared stays shared: a collection would write into all of it.
    while _obey(control, do):
        pass


def _loaded(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _obey(control: socket.socket, do: Any) -> bool:
    """Carry one command out. False when the service has gone."""
    received, sockets, _, _ = socket.recv_fds(control, COMMAND.size, 1)
    if len(received) < COMMAND.size:
        return False
    command, pid = COMMAND.unpack(received)
    control.sendall(REPLY.pack(_forked(control, sockets[0], do) if command == FORK else _ended(pid)))
    return True


def _forked(control: socket.socket, line: int, do: Any) -> int:
    pid = os.fork()
    if not pid:
        control.close()
        work(socket.socket(fileno=line), do)
    os.close(line)
    return pid


def _ended(pid: int) -> int:
    """The wait status. Only here is a worker waited for, so its number is nobody else's until then."""
    os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


if __name__ == "__main__":
    main()
