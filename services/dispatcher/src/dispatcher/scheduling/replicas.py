"""Live replicas share the limits of a destination, and each other's findings about it."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import structlog

from dispatcher.results import destination_health as health
from dispatcher.scheduling.destinations import Destinations
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import gauge

EVERY_SECONDS = 1.0
_BEAT = """
INSERT INTO replica (instance, seen_at) VALUES ($1, now()) ON CONFLICT (instance) DO UPDATE SET seen_at = now()
"""
_LIVE = "SELECT count(*) FROM replica WHERE seen_at > now() - interval '6 seconds'"
_FORGET = "DELETE FROM replica WHERE seen_at < now() - interval '1 hour'"

log = structlog.get_logger()


class Replicas:
    """Says that this one lives, counts the others, and obeys their pauses."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], destinations: Destinations, instance: str) -> None:
        self._pool, self._destinations, self._instance = pool, destinations, instance
        self._changed: set[str] = set()
        self._work = asyncio.Event()
        self._gauge = gauge("switchhook_live_instances")

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._beat()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("replicas.held", error=repr(error))
                await asyncio.sleep(EVERY_SECONDS)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), EVERY_SECONDS)
            self._work.clear()

    def changed(self, kind: str, id: str, _: object) -> None:
        """A listener of the registry view: what was found about the entity as it was does not hold any more."""
        names = {"endpoint": {f"endpoint:{id}"}, "channel": {f"channel:{id}", f"channel-call:{id}"}}.get(kind)
        if names:
            self._changed |= names
            self._work.set()

    async def _beat(self) -> None:
        async with self._pool.acquire() as connection:
            await connection.execute(_BEAT, self._instance)
            await connection.execute(_FORGET)
            live = int(await connection.fetchval(_LIVE))
            changed = set(self._changed)
            if changed:
                await health.resume(connection, changed)
                self._changed -= changed
            pauses = await health.pauses(connection)
        self._destinations.replicas = max(1, live)
        self._gauge.set(live)
        for name in changed:
            self._destinations.resume(name)
        self._destinations.forget_idle()
        for name, seconds in pauses.items():
            self._destinations.pause(name, seconds)
