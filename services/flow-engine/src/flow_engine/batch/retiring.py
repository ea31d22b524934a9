"""Tells the registry which retired flow versions nobody needs, so that no service keeps them in memory for ever.

In this order, so that no version is lost that somebody stands on (ADR-0034): the registry has let go of starting on it; here
it is noted in the database, and each partition is taken over again, so that no turn is saved that was made without knowing
it; then the conversations are looked through, and what none of them stands on is told.
"""

from __future__ import annotations

import asyncio

import orjson
import structlog

from contracts import findings
from contracts.cloudevents import headers, now_text
from contracts.ids import derived_id
from flow_engine.batch.timers import HoldsPartitions
from flow_engine.catalogue.port import Catalogue
from flow_engine.store.port import ConversationStore
from servicekit.kafka.publisher import NotAcknowledged, Publisher
from servicekit.kafka.records import Outgoing
from servicekit.loop.infrastructure import is_infrastructure

FIRST_SECONDS, EVERY_SECONDS, AGAIN_SECONDS = 600.0, 24 * 3600.0, 60.0
"""Until the first look, between two, and after one that failed. A look reads all conversations once, if there is anything to
retire: on a small server a million takes some seconds."""
AT_ONCE = 1000
"""Conversations that one statement looks through."""
TELLS = 0
"""The partition whose holder does it: one engine of all."""
YIELD_EVERY_VERSIONS = 500

log = structlog.get_logger()


class Retiring:
    """Of one process. Whoever holds the partition TELLS looks."""

    def __init__(
        self, loop: HoldsPartitions, store: ConversationStore, catalogue: Catalogue, publisher: Publisher
    ) -> None:
        self._loop, self._store, self._catalogue, self._publisher = loop, store, catalogue, publisher

    async def run(self) -> None:
        """For ever. Postgres or Kafka being away delays it."""
        pause = FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self.look()
                pause = EVERY_SECONDS
            except Exception as error:
                if not (is_infrastructure(error) or isinstance(error, NotAcknowledged)):
                    raise
                log.warning("retiring.held", error=repr(error))
                pause = AGAIN_SECONDS

    async def look(self) -> list[str]:
        """Tell of those that nobody stands on (`<flow>/<n>`, returned), and see to it that nobody will."""
        wanted = await self._wanted() if TELLS in self._loop.assigned else []
        if not wanted:
            return []
        await self._store.retire(self._catalogue.generation, dict(sorted(wanted)))
        unused = {f"{flow_id}/{number}" for flow_id, number in wanted}
        after: str | None = None
        while unused:
            stood_on, after = await self._store.stood_on(after, AT_ONCE)
            unused -= stood_on
            if after is None:
                break
        await self._publisher.publish_many([unused_version(id) for id in sorted(unused)])
        log.info("flow_versions.unused", retired=len(wanted), unused=len(unused))
        return sorted(unused)

    async def _wanted(self) -> list[tuple[str, int]]:
        wanted = []
        for count, version in enumerate(self._catalogue.retired()):
            wanted.append(version)
            if count % YIELD_EVERY_VERSIONS == YIELD_EVERY_VERSIONS - 1:
                await asyncio.sleep(0)
        return wanted


def unused_version(id: str) -> Outgoing:
    """What the registry is told."""
    now, type, flow_id = now_text(), "flow_version.unused", id.partition("/")[0]
    about = headers(id=derived_id(type, id), type=type, source="switchhook/flow-engine", time=now, subject=flow_id)
    value = orjson.dumps({"type": type, "timestamp": now, "data": {"flow_version": {"id": id}}})
    return Outgoing(findings.TOPIC.name, flow_id.encode(), value, about)
