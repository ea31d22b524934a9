"""Notices that this process stood still, or its host was suspended: then others may own its lanes without its having heard of it."""

from __future__ import annotations

import asyncio

from servicekit.boot_clock import boot_seconds

BEAT_SECONDS = 1.0
"""At most between two beats: a stop seems longer by up to as much, never shorter."""


class Pulse:
    """`limit`: seconds without a beat after which nothing held from before can be relied upon."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last = boot_seconds()
        self._resumed = 0.0

    async def run(self) -> None:
        """Beat, for ever."""
        while True:
            self.beat()
            await asyncio.sleep(min(BEAT_SECONDS, self._limit / 4))

    def beat(self) -> None:
        now = boot_seconds()
        if now - self._last > self._limit:
            self._resumed = now
        self._last = now

    def unbroken_since(self, moment: float) -> bool:
        """Whether the process has run without a long stop since that moment of the boot clock."""
        self.beat()
        return moment > self._resumed
