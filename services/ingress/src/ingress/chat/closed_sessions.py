"""Which sessions of the Bot API were closed: a topic that each replica reads from its start and keeps in memory."""

from __future__ import annotations

import time
from collections.abc import Iterable

from contracts.closed_sessions import TOPIC, ClosedSession, hash_of
from contracts.cloudevents import headers, now_text
from ingress.ports import Publishing
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing, Record
from servicekit.web.problems import ProblemError, unavailable

MOST_OF_A_PROJECT = 100_000
"""Closed sessions of a project that are remembered: some 20 MB. No more are closed then, until some have ended."""
SWEEP_SECONDS = 3600.0


class ClosedSessions:
    """Closed sessions until their ends. While they are not `known`, nobody can say of a session whether it is open."""

    def __init__(self, publisher: Publishing) -> None:
        self._publisher = publisher
        self._ends: dict[str, dict[bytes, int]] = {}
        """Project -> hash of a session's id -> its end."""
        self._next_sweep = time.monotonic() + SWEEP_SECONDS
        self.known = False

    def __len__(self) -> int:
        return sum(map(len, self._ends.values()))

    def has(self, project_id: str, session_id: str) -> bool:
        """Whether it was closed. Raises ProblemError 503 while that cannot be known."""
        if not self.known:
            raise unavailable("Which sessions were closed is not known here yet.")
        closed = self._ends.get(project_id)
        return closed is not None and bytes.fromhex(hash_of(session_id)) in closed

    async def close(self, project_id: str, session_id: str, ends: int) -> None:
        """Return once Kafka has it. Raises ProblemError 429 or 503."""
        self._sweep()
        if len(self._ends.get(project_id, ())) >= MOST_OF_A_PROJECT:
            raise ProblemError(
                "too-many-closed", 429, "Too many closed sessions",
                f"The project has closed {MOST_OF_A_PROJECT} sessions that would not have ended yet: leave this one to its end.",
            )  # fmt: skip
        closed = ClosedSession(session=hash_of(session_id), project_id=project_id, ends=ends)
        about = headers(
            id=closed.session, type="session.closed", source="switchhook/ingress", time=now_text(), project=project_id
        )
        try:
            await self._publisher.publish(Outgoing(TOPIC.name, closed.session.encode(), closed.encode(), about))
        except NotAcknowledged as error:
            raise unavailable("Kafka did not confirm it in time: close it again.") from error
        self._add(closed)

    def receive(self, records: Iterable[Record]) -> None:
        """What this replica or another one closed. What cannot be read closes nothing."""
        self._sweep()
        for record in records:
            try:
                self._add(ClosedSession.model_validate_json(record.value or b""))
            except ValueError:
                continue

    def _add(self, closed: ClosedSession) -> None:
        if closed.ends > time.time():
            self._ends.setdefault(closed.project_id, {})[bytes.fromhex(closed.session)] = closed.ends

    def _sweep(self) -> None:
        if time.monotonic() < self._next_sweep:
            return
        self._next_sweep, now = time.monotonic() + SWEEP_SECONDS, time.time()
        living = {
            project: {session: ends for session, ends in closed.items() if ends > now}
            for project, closed in self._ends.items()
        }
        self._ends = {project: closed for project, closed in living.items() if closed}
