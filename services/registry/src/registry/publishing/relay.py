"""Publishes what the table `publication` holds, in order, from the one leader, in Kafka transactions.

The transactional id is the same in every replica: a new leader's producer fences the old one's, so nothing that an
earlier leader still had in hand can follow what a later one published.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contracts.access import RELAY
from contracts.registry import SNAPSHOT_KEY, TOPIC
from contracts.topic import RECORD_LIMIT
from registry.publishing import leader
from registry.publishing.housekeeping import Housekeeping
from registry.store import publications
from registry.store.postgres import Pool
from registry.store.publications import Publication
from registry.writing.topic_tail import TopicTail
from servicekit.credentials.sealing import KeyRing
from servicekit.kafka.clients import make_producer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.refused_writes import REFUSED
from servicekit.loop.batches import Connection
from servicekit.observability.metrics import counter
from servicekit.observability.repeats import Repeated

BATCH = 500
POLL_SECONDS = 1.0
"""A safety net: the leader is woken by the commit of a write."""
KAFKA_SECONDS = 10
FROZEN_SECONDS = 3 * KAFKA_SECONDS
"""A leader that did not beat for this long is frozen: longer than it may wait for Kafka."""
RETRY_SECONDS = 0.5
GRACE_SECONDS = 2.0


class Relay:
    """`leading` tells whether this replica does it now."""

    def __init__(self, pool: Pool, cluster: Cluster, tail: TopicTail, keys: KeyRing) -> None:
        self._pool, self._cluster, self._tail, self._keys = pool, cluster, tail, keys
        self._topic = cluster.named(TOPIC.name)
        self._wake = asyncio.Event()
        self._interrupted = Repeated("relay.interrupted")
        self._house: Housekeeping | None = None
        self.leading = False

    def problem(self) -> str | None:
        """For readiness: a sentence when an operator has to decide something."""
        return self._house.problem if self._house is not None else None

    async def run(self) -> None:
        """Stand for leader for ever; whatever ends a term, the next one begins with an election."""
        while True:
            try:
                async with self._pool.acquire() as connection:
                    if await leader.elect(connection, FROZEN_SECONDS):
                        await self._term(connection)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError, OSError) as error:
                self._interrupted.warn(error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def _term(self, connection: Connection) -> None:
        try:
            async with self._producer() as producer, self._listening(connection):
                self.leading = True
                await self._lead(connection, producer)
        finally:
            self.leading = False
            await leader.resign(connection)

    async def _lead(self, connection: Connection, producer: AIOKafkaProducer) -> None:
        self._house = Housekeeping(self._tail, self._keys)
        while True:
            self._wake.clear()
            await self._house.keep(connection)
            if (marker := self._house.marker) is not None:
                await self._publish(producer, [Publication(0, SNAPSHOT_KEY, marker)])
                self._house.marker = None
            while self._house.problem is None and (batch := await publications.next_batch(connection, BATCH)):
                await self._publish(producer, batch)
                await publications.forget(connection, batch)
                await leader.beat(connection)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def _publish(self, producer: AIOKafkaProducer, batch: list[Publication]) -> None:
        async with asyncio.timeout(FROZEN_SECONDS), producer.transaction():
            sent = [
                await producer.send(self._topic, publication.value, publication.key.encode(), partition=0)
                for publication in batch
            ]
            await asyncio.wait(sent)
            if any(one.cancelled() for one in sent):
                raise KafkaError("a batch was given up")
            for error in [one.exception() for one in sent]:
                if error is not None:
                    REFUSED.failed(self._topic, error, 0)  # The same batch comes again: whatever is taken next is it.
                    raise error
            REFUSED.taken(self._topic, 0)
        counter("switchhook_registry_relayed_total").inc(len(batch))

    @contextlib.asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = make_producer(
            self._cluster,
            transactional_id=RELAY,
            transaction_timeout_ms=KAFKA_SECONDS * 1000,
            request_timeout_ms=KAFKA_SECONDS * 1000,
            max_request_size=RECORD_LIMIT,
            linger_ms=0,
        )
        try:
            await _started(producer)
            yield producer
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KAFKA_SECONDS):
                    await producer.stop()

    @contextlib.asynccontextmanager
    async def _listening(self, connection: Connection) -> AsyncIterator[None]:
        def wake(*_: Any) -> None:
            self._wake.set()

        connection.add_termination_listener(wake)
        await connection.add_listener(publications.CHANNEL, wake)
        try:
            yield
        finally:
            connection.remove_termination_listener(wake)
            await connection.remove_listener(publications.CHANNEL, wake)


async def _started(producer: AIOKafkaProducer) -> None:
    """Start it within KAFKA_SECONDS. A start that is cancelled half-way leaves its connection open, so it is let finish."""
    starting = asyncio.create_task(producer.start())
    try:
        async with asyncio.timeout(KAFKA_SECONDS):
            await asyncio.shield(starting)
    finally:
        if not starting.done():
            await asyncio.wait([starting], timeout=GRACE_SECONDS)
            starting.cancel()
