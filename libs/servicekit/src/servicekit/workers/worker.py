"""One worker: a task at a time, each under limits that the kernel holds, whatever the task does.

The timers' signals end the process: no handler of Python's has to run, which it would not while C code does.
"""

from __future__ import annotations

import mmap
import os
import pickle
import resource
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from servicekit.workers.frames import ANSWER, COUNT, DONE, FAILED, TASK, receive

MEMORY = 256 * 1024 * 1024
"""Bytes that a worker may take beyond what it was forked with; enforced on Linux."""
OUT_OF_MEMORY = 3
"""Exit code."""

Do = Callable[[Any, Callable[[], None]], Any]
"""(task, progress) -> what it comes to; `progress` is called before each part that may not end."""


def work(line: socket.socket, do: Do, shared: mmap.mmap) -> NoReturn:
    """Do tasks until the service closes the socket. In `shared` stands how many parts of the task have begun."""
    try:
        _limit_memory()
        while _next(line, do, shared):
            pass
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    except BaseException:  # noqa: BLE001 (a fork must not return into its parent's code)
        traceback.print_exc(file=sys.stderr)
        os._exit(1)
    os._exit(0)


def _limit_memory() -> None:
    """Address space: the only limit on memory that the kernel holds for one process. macOS does not hold it."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        most = int(statm.read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _next(line: socket.socket, do: Do, shared: mmap.mmap) -> bool:
    head = receive(line, TASK.size)
    if head is None:
        return False
    size, cpu, seconds = TASK.unpack(head)
    body = receive(line, size)
    if body is None:
        return False
    began = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, cpu)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    kind, answer = _done(shared, body, do)
    packed = pickle.dumps((answer, time.process_time() - began), pickle.HIGHEST_PROTOCOL)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    line.sendall(ANSWER.pack(kind, len(packed)) + packed)
    return True


def _done(shared: mmap.mmap, body: bytes, do: Do) -> tuple[bytes, Any]:
    count = 0
    COUNT.pack_into(shared, 0, count)

    def progress() -> None:
        nonlocal count
        count += 1
        COUNT.pack_into(shared, 0, count)

    try:
        return DONE, do(pickle.loads(body), progress)  # noqa: S301 (from our own service)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 (the service hears of it)
        return FAILED, f"{type(error).__name__}: {error}"[:1000]
