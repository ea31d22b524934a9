"""Failures that are no record's own fault, although each record fails by itself: they stop the loop instead.

After a bad release every event fails. Parking each of them would hold every conversation of every project, one after another;
a loop that stands still loses nothing and goes on by itself once a good release is there.
"""

from __future__ import annotations

import time

import asyncpg
import structlog

from contracts.cloudevents import PROJECT
from servicekit.kafka.records import Record
from servicekit.loop.infrastructure import disk_problem, is_missing_partition
from servicekit.observability.current_trace import in_trace

MOST_PROJECTS = 3
"""Projects whose records may be parked within WINDOW_SECONDS. One project's poison is its own; four at once are ours."""
WINDOW_SECONDS = 60.0
LOCKED_SECONDS = 15.0
"""Batches that wait for a lock for longer than this wait for an operator, or for what he does."""

log = structlog.get_logger()


def say_parked(record: Record, error: str) -> None:
    """In the log of the service, with the trace that the record belongs to."""
    with in_trace(dict(record.headers).get("traceparent")):
        log.error("record.parked", topic=record.topic, partition=record.partition, offset=record.offset, error=error)


class Brake:
    """Of one loop."""

    def __init__(self, topic: str, service: str) -> None:
        self._topic, self._service = topic, service
        self._parked: dict[bytes, float] = {}
        self._waits_for: str | None = None
        self._locked_since: float | None = None
        self.pulled: str | None = None
        """Why nothing more is applied; only a restart takes it back."""

    def problem(self) -> str | None:
        """One sentence that says what to do, None while there is nothing."""
        return self.pulled or self._waits_for

    def may_park(self, record: Record) -> bool:
        """Whether the record is parked. False: one project too many, and from now on nothing is applied."""
        now = time.monotonic()
        self._parked = {project: at for project, at in self._parked.items() if at > now - WINDOW_SECONDS}
        self._parked[dict(record.headers).get(PROJECT) or b""] = now
        if len(self._parked) <= MOST_PROJECTS:
            return True
        self.pulled = (
            f"{self._topic}: records of {len(self._parked)} projects failed within a minute, so that nothing more is"
            f" applied; the log names the errors (record.parked). Go back to the release before or mend it and restart"
            f" {self._service}, then release what was held (switchhook held list, switchhook dlq list)"
        )
        log.error("loop.stopped", topic=self._topic, service=self._service, projects=len(self._parked))
        return False

    def failed(self, error: BaseException) -> None:
        """A batch failed, and is tried again."""
        if full := disk_problem(self._topic, error):
            self._waits_for = full
        elif isinstance(error, asyncpg.LockNotAvailableError):
            self._wait_for_lock(error)
        elif is_missing_partition(error):
            self._waits_for = (
                f"{self._topic}: PostgreSQL has no partition for today's rows ({error}): the service makes them ahead of"
                " time and its log says why it could not (rights, disk); it goes on by itself once there is one"
            )

    def went_on(self) -> None:
        """A batch was saved."""
        self._waits_for = self._locked_since = None

    def _wait_for_lock(self, error: BaseException) -> None:
        """A lock that is had for moments is told to nobody."""
        now = time.monotonic()
        self._locked_since = self._locked_since or now
        if now - self._locked_since >= LOCKED_SECONDS:
            self._waits_for = (
                f"{self._topic}: PostgreSQL has given no lock for {now - self._locked_since:.0f} s ({error}): somebody holds"
                " one on a whole table, as VACUUM FULL and ALTER TABLE do (pg_locks names him); it goes on by itself after that"
            )
