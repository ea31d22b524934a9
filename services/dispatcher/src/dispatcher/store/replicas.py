"""Which dispatchers live."""

from __future__ import annotations

from dispatcher.store.queues import QueueRows

_BEAT = """
WITH beat AS (
    INSERT INTO replica (instance, seen_at) VALUES ($1, now()) ON CONFLICT (instance) DO UPDATE SET seen_at = now()
), forgotten AS (
    DELETE FROM replica WHERE seen_at < now() - interval '1 hour' AND instance <> $1
)
SELECT 1 + count(*), nextval('age') FROM replica WHERE seen_at > now() - interval '6 seconds' AND instance <> $1
"""
"""One statement, since it is asked every second."""
_LAST_AGE = "SELECT last_value FROM age"


class ReplicaRows(QueueRows):
    """The part of a session that is about replicas."""

    async def live_replicas(self, instance: str) -> int:
        return int(await self._connection.fetchval(_BEAT, instance))

    async def age(self) -> int:
        return int(await self._connection.fetchval(_LAST_AGE))
