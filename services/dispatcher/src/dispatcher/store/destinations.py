"""What all replicas know about destinations: pauses, and failures since the last success."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from dispatcher.store.port import Failing, Pause
from dispatcher.store.queues import QueueRows
from servicekit.columns import Columns

PAUSE = Columns(Pause, "text float8 text")
_FAILED = """
INSERT INTO destination (name, failures, failing_since) SELECT name, n, now() FROM unnest($1::text[], $2::int[]) AS u(name, n)
ON CONFLICT (name) DO UPDATE SET failures = destination.failures + excluded.failures,
       failing_since = coalesce(destination.failing_since, now()), updated_at = now()
RETURNING name, told, failing_since < now() - $3::interval AS too_long
"""
_TOLD = "UPDATE destination SET told = true WHERE name = ANY ($1::text[])"
_PAUSE = f"""
INSERT INTO destination (name, paused_until, pause_reason)
SELECT u.destination, now() + u.seconds * interval '1 second', u.reason FROM {PAUSE.unnest()}
ON CONFLICT (name) DO UPDATE SET paused_until = greatest(destination.paused_until, excluded.paused_until),
       pause_reason = excluded.pause_reason, updated_at = now()
"""
_EXISTS = "INSERT INTO destination (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING"
_HELD = """
SELECT name, CASE WHEN paused_until > now() THEN pause_reason END AS pause_reason
  FROM destination WHERE name = ANY ($1::text[]) ORDER BY name FOR UPDATE
"""
_RESUME = """
UPDATE destination SET paused_until = NULL, pause_reason = NULL
 WHERE name = ANY ($1::text[]) AND pause_reason = ANY ($2::text[])
"""
_GO_ON = """
UPDATE delivery SET due = now()
 WHERE queue_id IN (SELECT id FROM queue WHERE destination = ANY ($1::text[])) AND state = 'pending' AND due > now()
"""
_LOOK = "UPDATE queue SET next_due = now() WHERE destination = ANY ($1::text[]) AND next_due > now()"
_PAUSES = """
SELECT name, extract(epoch FROM paused_until - now())::float8 AS seconds FROM destination WHERE paused_until > now()
"""


class DestinationRows(QueueRows):
    """The part of a session that is about destinations."""

    async def note_failures(self, failures: Mapping[str, int], too_long: timedelta) -> list[Failing]:
        names = sorted(failures)
        rows = await self._connection.fetch(_FAILED, names, [failures[name] for name in names], too_long)
        return [Failing(*row) for row in rows]

    async def note_told(self, destinations: Sequence[str]) -> None:
        await self._connection.execute(_TOLD, list(destinations))

    async def pause(self, pauses: Sequence[Pause]) -> set[str]:
        names = sorted({each.destination for each in pauses})
        await self._connection.execute(_EXISTS, names)  # So that there is a row to lock.
        held = {row["name"]: row["pause_reason"] for row in await self._connection.fetch(_HELD, names)}
        await self._connection.execute(_PAUSE, *PAUSE.arrays(sorted(pauses)))
        return {each.destination for each in pauses if (each.destination, each.reason) not in held.items()}

    async def resume(self, destinations: Sequence[str], reasons: Sequence[str]) -> None:
        changed = sorted(destinations)
        await self._connection.execute(_RESUME, changed, list(reasons))
        await self._connection.execute(_GO_ON, changed)

    async def look_now(self, destinations: Sequence[str]) -> None:
        await self._connection.execute(_LOOK, sorted(destinations))

    async def pauses(self) -> dict[str, float]:
        return {row["name"]: row["seconds"] for row in await self._connection.fetch(_PAUSES)}
