"""What `dev` tells in its terminal out of the services' logs: flows that fail, where and why, and conversations held."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

LOOK_SECONDS = 0.5
LARGEST_READ = 1 << 20


async def tell_failures(log: Path, report: Callable[[str], None]) -> None:
    """Report what is appended to a service's log from now on and is for the author of a flow. Runs until cancelled."""
    place = _size(log)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        place, lines = _appended(log, place)
        for line in lines:
            if (said := readable(line)) is not None:
                report(said)


def readable(line: bytes) -> str | None:
    """A line of a log in words; None for one that is not told."""
    try:
        event: Any = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict):
        return None
    if event.get("event") == "flow.failed":
        where = f" at node {event['node']}" if event.get("node") else ""
        return f"Flow {event.get('flow') or '?'} failed{where}: {event.get('detail')} ({event.get('error')})"
    if event.get("event") == "conversation.held":
        return f"Conversation {event.get('conversation')} is held: {event.get('error')}"
    return None


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _appended(log: Path, place: int) -> tuple[int, list[bytes]]:
    """Where to go on, and the whole lines since. A log that has become shorter was begun anew."""
    size = _size(log)
    if size == place:
        return place, []
    place = place if size > place else 0
    try:
        with log.open("rb") as file:
            file.seek(place)
            read = file.read(LARGEST_READ)
    except OSError:
        return place, []
    whole = read.rpartition(b"\n")[0]
    if not whole:
        return (place + len(read) if len(read) == LARGEST_READ else place), []
    return place + len(whole) + 1, whole.split(b"\n")
