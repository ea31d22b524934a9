"""Numbers of queues: (destination, source) <-> id, remembered for ever."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

Pair = tuple[str, str]

_MAKE = """
INSERT INTO queue (destination, source) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING
"""
_FIND = """
SELECT q.id, q.destination, q.source FROM queue q
  JOIN unnest($1::text[], $2::text[]) AS u(destination, source) USING (destination, source)
"""
_NAME = "SELECT destination FROM queue WHERE id = $1"


class Queues:
    """A queue's row is never deleted, so what is known stays true."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._ids: dict[Pair, int] = {}
        self._names: dict[int, str] = {}

    async def know(self, pairs: Iterable[Pair]) -> None:
        """Make sure that `id` answers for these."""
        missing = sorted({pair for pair in pairs if pair not in self._ids})
        if not missing:
            return
        destinations, sources = [pair[0] for pair in missing], [pair[1] for pair in missing]
        async with self._pool.acquire() as connection:
            await connection.execute(_MAKE, destinations, sources)
            for row in await connection.fetch(_FIND, destinations, sources):
                self._ids[row["destination"], row["source"]] = row["id"]
                self._names[row["id"]] = row["destination"]

    def id(self, destination: str, source: str) -> int:
        return self._ids[destination, source]

    async def destination(self, id: int) -> str:
        """The destination of a queue that a row names."""
        if id not in self._names:
            self._names[id] = str(await self._pool.fetchval(_NAME, id))
        return self._names[id]
