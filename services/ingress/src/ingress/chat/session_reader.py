"""Keeps a replica's closed sessions current: the topic is read from its start, and then for ever."""

from __future__ import annotations

import asyncio

from contracts.closed_sessions import TOPIC
from ingress.chat.closed_sessions import ClosedSessions
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster


class SessionReader:
    """Begins with `start`. Where the topic was made anew, what is known already stays known."""

    def __init__(self, cluster: Cluster, instance: str, closed: ClosedSessions) -> None:
        self._closed = closed
        self._reader = AssignedReader(
            cluster,
            TOPIC.name,
            client_id=f"ingress-sessions-{instance}",
            begin="start",
            receive=closed.receive,
            moved=self._moved,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to read, in the background and for ever."""
        self._tasks = [asyncio.create_task(self._reader.run(), name="closed sessions")]

    async def stop(self) -> None:
        """Stop reading."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def problem(self) -> str | None:
        """Why nobody can say which sessions are open, None when that is known."""
        if self._closed.known:
            return None
        return self._reader.missing() or "which sessions were closed has not been read to the end yet"

    def _moved(self) -> None:
        if self._reader.behind_since is None:
            self._closed.known = True
