"""Restarts a server that ended by itself."""

import asyncio
import signal
import time
from collections.abc import Callable

from devstack.errors import StackError
from devstack.server import Server

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.2, 5.0
STABLE_SECONDS = 30.0
"""Who lived this long starts again without delay."""

Report = Callable[[str], None]


def next_delay(previous: float, lived_seconds: float) -> float:
    """Seconds to wait before the next start: doubled each time, from the beginning again after a stable life."""
    if lived_seconds >= STABLE_SECONDS or previous == 0:
        return FIRST_DELAY_SECONDS
    return min(previous * 2, LONGEST_DELAY_SECONDS)


async def keep_running(server: Server, report: Report) -> None:
    """Start the server again whenever it crashes; runs until cancelled.

    `report` gets a line for each crash. A server that does not start is tried again; after `stop` or `kill` it is left.
    """
    delay = 0.0
    while True:
        began = time.monotonic()
        code = await server.crashed()
        delay = next_delay(delay, time.monotonic() - began)
        report(f"{server.name} {describe(code)}; starting it again in {delay:.1f} s (see {server.log})")
        await asyncio.sleep(delay)
        if server.wanted:
            await try_to_launch(server, report)


async def try_to_launch(server: Server, report: Report) -> None:
    """Start it, and report why it could not be started; it is then started again like one that crashed."""
    try:
        await server.launch()
    except StackError as error:
        report(str(error))


def describe(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
