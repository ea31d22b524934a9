"""Which dispatchers live."""

from __future__ import annotations

from dispatcher.store.queues import QueueRows

_BEAT = """
INSERT INTO replica (instance, seen_at) VALUES ($1, now()) ON CONFLICT (instance) DO UPDATE SET seen_at = now()
"""
_FORGET = "DELETE FROM replica WHERE seen_at < now() - interval '1 hour'"
_AGE = "SELECT nextval('age')"
_LAST_AGE = "SELECT last_value FROM age"
_LIVE = "SELECT count(*) FROM replica WHERE seen_at > now() - interval '6 seconds'"


class ReplicaRows(QueueRows):
    """The part of a session that is about replicas."""

    async def live_replicas(self, instance: str) -> int:
        await self._connection.execute(_BEAT, instance)
        await self._connection.execute(_FORGET)
        await self._connection.execute(_AGE)
        return int(await self._connection.fetchval(_LIVE))

    async def age(self) -> int:
        return int(await self._connection.fetchval(_LAST_AGE))
