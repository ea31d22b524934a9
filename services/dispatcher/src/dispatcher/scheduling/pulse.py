"""Notices that this process stood still: then others may own its lanes without its having heard of it."""

from __future__ import annotations

import asyncio
import time


class Pulse:
    """`limit`: seconds without a beat after which nothing held from before can be relied upon."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last = time.monotonic()
        self._resumed = 0.0

    async def run(self) -> None:
        """Beat, for ever."""
        while True:
            self.beat()
            await asyncio.sleep(min(0.2, self._limit / 4))

    def beat(self) -> None:
        now = time.monotonic()
        if now - self._last > self._limit:
            self._resumed = now
        self._last = now

    def unbroken_since(self, moment: float) -> bool:
        """Whether the process has run without a long stop since that monotonic moment."""
        self.beat()
        return moment > self._resumed
