"""Writing to topics that may be missing, refused or short of replicas, so that one of them holds up none of the others.

A producer that Kafka refuses something ends with all that is in its queue. So a topic is first written to alone, with a producer
that is for nothing else; one that took its records shares a producer with all others, until it refuses some.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher, NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.kafka.refused_writes import REFUSED

GIVE_UP_SECONDS = 5.0
"""For a topic that is tried alone: others may wait for their turn to be."""


class Missing(Exception):
    """Kafka says that there is no such topic."""


class TopicWriter:
    """Two producers for all topics."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster = cluster
        self._shared = KafkaPublisher(cluster, client_id=client_id)
        self._alone = KafkaPublisher(
            cluster, client_id=f"{client_id}-trial", timeout=GIVE_UP_SECONDS, give_up=GIVE_UP_SECONDS
        )
        self._turn = asyncio.Lock()
        self._proven = set[str]()
        self._started = False

    async def write(self, topic: str, records: Sequence[Outgoing]) -> None:
        """In order; returns when all are acknowledged. Raises NotAcknowledged, Missing, TooLarge."""
        if topic in self._proven:
            try:
                await self._shared.publish_many(records)
            except NotAcknowledged:
                self._proven.discard(topic)  # It may have been another one's fault, which the next try shows.
                raise
            return
        await self._start()
        if await self._alone.is_missing(topic):
            raise Missing
        async with self._turn:
            await self._alone.publish_many(records)
        self._proven.add(topic)

    def forget(self, topic: str) -> None:
        """Nothing is written to it any more."""
        self._proven.discard(topic)
        REFUSED.forget(self._cluster.named(topic))

    async def stop(self) -> None:
        """Nothing is written any more."""
        if self._started:
            await asyncio.gather(self._shared.stop(), self._alone.stop())

    async def _start(self) -> None:
        """With the first topic: most installations have none."""
        if not self._started:
            self._started = True
            await asyncio.gather(self._shared.start(), self._alone.start())
