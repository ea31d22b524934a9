"""Live replicas share the limits of a destination, and each other's findings about it."""

from __future__ import annotations

import asyncio
import contextlib

from dispatcher.results.failing_destinations import FINDINGS
from dispatcher.scheduling.destinations import Destinations
from dispatcher.store.port import DeliveryStore, Session
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import gauge
from servicekit.observability.repeats import Repeated

EVERY_SECONDS = 1.0


class Replicas:
    """Says that this one lives, counts the others, and obeys their pauses."""

    def __init__(self, store: DeliveryStore, destinations: Destinations, instance: str) -> None:
        self._store, self._destinations, self._instance = store, destinations, instance
        self._held = Repeated("replicas.held")
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
                self._held.warn(error=repr(error))
                await asyncio.sleep(EVERY_SECONDS)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_SECONDS):
                    await self._work.wait()
            self._work.clear()

    def changed(self, kind: str, id: str, _: object) -> None:
        """A listener of the registry view: what was found about the entity as it was does not hold any more."""
        names = {"endpoint": {f"endpoint:{id}"}, "channel": {f"channel:{id}", f"channel-call:{id}"}}.get(kind)
        if names:
            self._changed |= names
            self._work.set()

    async def _beat(self) -> None:
        async with self._store.session() as session:
            live = await session.live_replicas(self._instance)
            await self._end_findings(session)
            pauses = await session.pauses()
        self._destinations.replicas = max(1, live)
        self._gauge.set(live)
        self._destinations.forget_idle()
        for name, seconds in pauses.items():
            self._destinations.pause(name, seconds)

    async def _end_findings(self, session: Session) -> None:
        """In the database and here, or at the next beat: half of it would leave a destination alone that may be asked. What changes
        meanwhile is for the next beat, too. The queues come last: whoever claims puts them off for as long as it is left alone here."""
        changed, self._changed = self._changed, set()
        if not changed:
            return
        try:
            await session.resume(sorted(changed), FINDINGS)
            for name in changed:
                self._destinations.resume(name)
            await session.look_now(sorted(changed))
        except BaseException:
            self._changed |= changed
            raise
