"""Queues: their numbers, remembered for ever, and when each is to be looked at next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta

import asyncpg

from dispatcher.model.delivery import DeliveryKind
from dispatcher.store.port import Place, Queue
from servicekit.loop.batches import Connection

_MAKE = """
INSERT INTO queue (destination, source, project_id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (destination, source) DO UPDATE SET project_id = excluded.project_id WHERE queue.project_id = ''
"""
_FIND = """
SELECT q.id, q.destination, q.source, u.project_id FROM queue q
  JOIN unnest($1::text[], $2::text[], $3::text[]) AS u(destination, source, project_id) USING (destination, source)
"""
_NAMES = "SELECT id, destination FROM queue WHERE id = ANY ($1::int[])"
_DUE = """
WITH due AS (
    SELECT id, destination, project_id, next_due,
           row_number() OVER (PARTITION BY project_id, destination ORDER BY next_due, id) AS place
      FROM queue WHERE next_due <= now() AND (source = '' OR source = ANY ($1::text[]))
), turns AS (
    SELECT *, row_number() OVER (PARTITION BY project_id ORDER BY place, next_due, id) AS turn FROM due
)
SELECT id, destination, project_id FROM turns ORDER BY turn, next_due, id LIMIT 500
"""
_LOCK = "SELECT id FROM queue WHERE id = $1 FOR UPDATE"
_LOOK_AGAIN = """
UPDATE queue q SET next_due = (SELECT min(d.due) FROM delivery d WHERE d.queue_id = q.id AND d.due IS NOT NULL)
 WHERE q.id = $1
"""
_LOOK_LATER = "UPDATE queue SET next_due = now() + $2::interval WHERE id = $1"
_LOOK_BY = """
WITH sooner AS (
    SELECT q.id, u.due
      FROM queue q JOIN (
        SELECT id, now() + min(seconds) * interval '1 second' AS due
          FROM unnest($1::int[], $2::float8[]) AS p(id, seconds) GROUP BY id) u USING (id)
     ORDER BY q.id FOR UPDATE OF q
)
UPDATE queue q SET next_due = least(q.next_due, sooner.due) FROM sooner WHERE q.id = sooner.id
"""
_SWEEP = """
WITH RECURSIVE waiting AS (
    SELECT min(d.queue_id) AS id FROM delivery d WHERE d.due IS NOT NULL
     UNION ALL
    SELECT (SELECT min(d.queue_id) FROM delivery d WHERE d.queue_id > waiting.id AND d.due IS NOT NULL)
      FROM waiting WHERE waiting.id IS NOT NULL
), found AS (
    SELECT id, (SELECT min(d.due) FROM delivery d WHERE d.queue_id = waiting.id AND d.due IS NOT NULL) AS due
      FROM waiting WHERE id IS NOT NULL
), late AS (
    SELECT q.id, found.due FROM queue q JOIN found USING (id)
     WHERE found.due < now() + interval '1 minute' AND (q.next_due IS NULL OR q.next_due > found.due)
     ORDER BY q.id FOR UPDATE OF q
)
UPDATE queue q SET next_due = late.due FROM late WHERE q.id = late.id
"""
"""From queue to queue of which something waits: the index on `due` has no other. Queues are never deleted, so looking from
their table into each day's deliveries would cost more with each endpoint and host there ever was."""


class QueueNumbers:
    """Place <-> id. A queue's row is never deleted, so what is known stays true."""

    def __init__(self) -> None:
        self.ids: dict[Place, int] = {}
        self._destinations: dict[int, str] = {}

    async def know(self, places: Iterable[Place], pool: asyncpg.Pool[asyncpg.Record]) -> None:
        """Make sure that `ids` has these."""
        missing = sorted({place for place in places if place not in self.ids})
        if not missing:
            return
        wanted = [list(column) for column in zip(*missing, strict=True)]
        async with pool.acquire() as connection:
            await connection.execute(_MAKE, *wanted)
            for row in await connection.fetch(_FIND, *wanted):
                self.ids[Place(row["destination"], row["source"], row["project_id"])] = row["id"]
                self._destinations[row["id"]] = row["destination"]

    async def destinations(self, ids: Iterable[int], connection: Connection) -> Mapping[int, str]:
        """The destinations of these queues, and of others, by id."""
        missing = sorted(set(ids) - self._destinations.keys())
        if missing:
            rows = await connection.fetch(_NAMES, missing)
            self._destinations.update({row["id"]: row["destination"] for row in rows})
        return self._destinations


class LaneDays:
    """How far back the lanes of this process may reach: looks for what is before a delivery go no further.

    Most lanes are empty, and a look into each day's partition costs something; a paused endpoint's may be weeks old.
    """

    def __init__(self) -> None:
        self.since = date.min
        self._came = self._met = date.max
        """The oldest day of rows that came since the last look began, and what else was found out since then."""

    def reach(self, day: date) -> None:
        """A row of that day may be in a lane of ours from now on; it is about to be written."""
        self.since, self._came = min(self.since, day), min(self._came, day)

    def forget(self) -> None:
        """Lanes became ours, and how far these reach is not known."""
        self.since = self._met = date.min

    @contextmanager
    def looked_up(self) -> Iterator[Callable[[date], None]]:
        """For who asks the table, one at a time. Rows that came since the look before may be out of its sight: their transaction,
        begun before it, may end after it."""
        before, self._came, self._met = self._came, date.max, date.max

        def answer(since: date) -> None:
            self.since = min(since, before, self._came, self._met)

        try:
            yield answer
        except BaseException:  # It says nothing, and the next one begins soon after it.
            self._came = min(self._came, before)
            raise


class QueueRows:
    """The part of a session that is about queues; the other parts stand on it."""

    def __init__(
        self, connection: Connection, numbers: QueueNumbers, kinds: Mapping[str, DeliveryKind], lane_days: LaneDays
    ) -> None:
        self._connection, self._numbers, self._kinds = connection, numbers, kinds
        self._lane_days = lane_days

    async def due_queues(self, sources: Iterable[str]) -> list[Queue]:
        return [Queue(*row) for row in await self._connection.fetch(_DUE, sorted(sources))]

    async def look_again(self, queue: Queue) -> None:
        """The lock comes first and in a statement of its own: who adds rows takes it after them, so that either they are
        seen here or their own time for the next look comes after ours."""
        async with self._connection.transaction():
            await self._connection.execute(_LOCK, queue.id)
            await self._connection.execute(_LOOK_AGAIN, queue.id)

    async def look_later(self, queue: Queue, seconds: float) -> None:
        await self._connection.execute(_LOOK_LATER, queue.id, timedelta(seconds=seconds))

    async def sweep_queues(self) -> None:
        await self._connection.execute(_SWEEP)

    async def _look_by(self, looks: Iterable[tuple[int, float]]) -> None:
        """See to it that queues (id, seconds from now) are looked at by then. After the rows, in their transaction."""
        pairs = list(looks)
        if pairs:
            await self._connection.execute(_LOOK_BY, [queue for queue, _ in pairs], [seconds for _, seconds in pairs])
