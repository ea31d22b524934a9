"""Lines that an outage repeats several times a second: once a minute is enough to see that it lasts."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import structlog

QUIET_SECONDS = 60.0

log = structlog.get_logger()


class OncePerMinute(logging.Filter):
    """For a library's logger: lets a line that begins in a certain way through once a minute; every other line always."""

    def __init__(self, *beginnings: str) -> None:
        """`beginnings`: of the lines before their parameters are put in."""
        super().__init__()
        self._beginnings = beginnings
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        if not str(record.msg).startswith(self._beginnings):
            return True
        line = record.getMessage()
        if record.created < self._said.get(line, 0.0) + QUIET_SECONDS:
            return False
        self._said[line] = record.created
        return True


class Repeated:
    """A warning of ours: written at once, then once a minute with how often it came (`times`)."""

    def __init__(self, event: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._event, self._clock = event, clock
        self._times = 0
        self._quiet_until = -QUIET_SECONDS

    def warn(self, **said: str) -> None:
        """It has come once more."""
        self._times += 1
        now = self._clock()
        if now >= self._quiet_until:
            log.warning(self._event, times=self._times, **said)
            self._times, self._quiet_until = 0, now + QUIET_SECONDS
