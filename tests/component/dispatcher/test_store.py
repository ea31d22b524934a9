"""PostgresDeliveries does what every DeliveryStore does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery
from dispatcher.model.states import State
from dispatcher.store import log
from dispatcher.store.postgres import PostgresDeliveries
from servicekit.migrate import migrate
from support.delivery_destinations_suite import DestinationsSuite
from support.delivery_store_suite import DeliveryStoreSuite, Kept

SETTINGS = {"search_path": "dispatcher"}
EMPTY = "".join(
    f"DELETE FROM {table};" for table in ("delivery", "attempt", "queue", "destination", "result_outbox", "replica")
)
"""Quicker than TRUNCATE, which makes new files."""


@pytest.fixture(scope="module")
def migrated(module_database: str) -> str:
    migrate("dispatcher", module_database)
    return module_database


class TestPostgres(DeliveryStoreSuite, DestinationsSuite):
    @pytest.fixture
    async def kept(self, migrated: str) -> AsyncIterator[Kept]:
        async with asyncpg.create_pool(migrated, min_size=1, max_size=4, server_settings=SETTINGS) as pool:
            store = PostgresDeliveries(pool, DELIVERY_KINDS)
            async with store.session() as session:
                await session.ensure_days([datetime.now(UTC).date()])
            await pool.execute(EMPTY)

            @asynccontextmanager
            async def transaction() -> AsyncIterator[Any]:
                async with pool.acquire() as connection, connection.transaction():
                    yield connection

            async def state(one: Delivery) -> State | None:
                found: State | None = await pool.fetchval("SELECT state FROM delivery WHERE id = $1", one.key)
                return found

            async def replay(one: Delivery) -> bool:
                async with pool.acquire() as connection:
                    return await log.replay(connection, one.key, one.project_id, [one.kind.name])

            yield Kept(store, transaction, state, replay)
            await store.close()
