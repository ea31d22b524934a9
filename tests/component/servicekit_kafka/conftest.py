from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from support.ledger import ledger_pool


@pytest.fixture
async def publisher(kafka: str) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(Cluster(kafka), client_id="test")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def pool(database: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """A pool on a database that has a ledger's tables."""
    async with ledger_pool(database) as made:
        yield made
