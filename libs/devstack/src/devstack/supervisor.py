"""Restarts a server that ended by itself, whatever goes wrong meanwhile, and says what."""

import asyncio
import contextlib
import errno
import logging
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from devstack.errors import StackError
from devstack.server import Server

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 5.0
STABLE_SECONDS = 30.0
"""Who lived this long starts again without delay."""
LITTLE_BYTES = 64 * 2**20
"""With less disk than this a server that ended is likely to have ended for it."""
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

Report = Callable[[str], None]

log = logging.getLogger(__name__)


def next_delay(previous: float, lived_seconds: float) -> float:
    """Seconds to wait before the next start: doubled each time, from the beginning again after a stable life."""
    if lived_seconds >= STABLE_SECONDS or previous == 0:
        return FIRST_DELAY_SECONDS
    return min(previous * 2, LONGEST_DELAY_SECONDS)


async def keep_running(server: Server, report: Report) -> None:
    """Start the server again whenever it crashes; runs until cancelled.

    `report` gets a line for each crash, and for each start that failed: it is tried again. After `stop` or `kill` the server
    is left.
    """
    delay = 0.0
    while True:
        began = time.monotonic()
        try:
            code = await server.crashed()
            delay = next_delay(delay, time.monotonic() - began)
            again = f"starting it again in {delay:.1f} s (see {server.log})"
            tell(report, f"{server.name} {describe(code)}{little_disk(server.log.parent)}; {again}")
            await asyncio.sleep(delay)
            if server.wanted:
                await server.launch()
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else starts the server again
            tell(report, why_not(server, error))
            delay = next_delay(delay, time.monotonic() - began)
            await asyncio.sleep(delay)


def why_not(server: Server, error: Exception) -> str:
    """Why a server could not be started, in a sentence."""
    if isinstance(error, StackError):
        return str(error)
    if isinstance(error, OSError) and error.errno in FULL:
        return f"{server.name} could not be started: the disk is full where {server.log.parent} lies. Free some of it."
    log.error("%s could not be started", server.name, exc_info=error)
    return f"{server.name} could not be started ({type(error).__name__}: {error}); it is tried again."


def little_disk(folder: Path) -> str:
    """What to add to a sentence about a server that ended, where hardly any disk is left."""
    with contextlib.suppress(OSError):
        free = shutil.disk_usage(folder).free
        if free < LITTLE_BYTES:
            return f": the disk is full ({free // 2**20} MiB are free where {folder} lies), free some of it"
    return ""


def tell(report: Report, line: str) -> None:
    """Report, if that is possible: the terminal's output may be a file on the disk that is full."""
    with contextlib.suppress(OSError):
        report(line)


def describe(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
