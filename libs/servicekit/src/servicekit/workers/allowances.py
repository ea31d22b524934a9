"""What each project may spend on tasks that take long, so that a flood of them holds up its own project and no other.

A task's first milliseconds are free: what ordinary programs take never comes to be counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FREE = 0.02
"""Seconds of CPU of each task that are not counted."""
MOST = 2.0
"""Seconds that a project has when it has spent none for long."""
RATE = 0.1
"""Seconds that it gets back each second."""
MOST_KNOWN = 10_000


def now() -> float:
    """Seconds of time.monotonic, which is asked through its module each time, so that a simulation may replace it."""
    return time.monotonic()


class AllowanceSpent(Exception):
    """The project's long tasks have taken all that they may; the text says so to its owner."""


class Allowances:
    """Of one process."""

    def __init__(
        self, clock: Callable[[], float] = now, *, free: float = FREE, most: float = MOST, rate: float = RATE
    ) -> None:
        self._clock, self._free, self._most, self._rate = clock, free, most, rate
        self._full_at: dict[str, float] = {}
        """When a project will have all of its allowance again."""

    def check(self, project: str) -> None:
        """Raises AllowanceSpent where nothing is left."""
        if not self.has(project):
            raise AllowanceSpent(
                f"this project's programs have taken too long: beyond {self._free * 1000:.0f} ms each they may take"
                f" {self._most:.0f} s at once, and {self._rate} s a second"
            )

    def has(self, project: str) -> bool:
        """Whether something is left."""
        return self._full_at.get(project, 0.0) - self._clock() < self._most / self._rate

    def spend(self, project: str, seconds: float) -> None:
        """A task of the project took so long."""
        if seconds <= self._free:
            return
        moment = self._clock()
        if len(self._full_at) >= MOST_KNOWN:
            self._full_at = {one: full for one, full in self._full_at.items() if full > moment}
        self._full_at[project] = max(moment, self._full_at.get(project, 0.0)) + (seconds - self._free) / self._rate
