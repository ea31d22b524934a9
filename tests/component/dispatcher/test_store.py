"""PostgresDeliveries does what every DeliveryStore does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.delivery import Delivery
from dispatcher.model.states import State
from dispatcher.store import deliveries, log
from dispatcher.store.postgres import PostgresDeliveries
from dispatcher.store.queues import LaneDays, QueueNumbers, QueueRows
from servicekit.database import keep_plans
from servicekit.migrate import migrate
from support.delivery_destinations_suite import DestinationsSuite
from support.delivery_lanes_suite import LanesSuite
from support.delivery_store_suite import TODAY, DeliveryStoreSuite, Kept

SETTINGS = {"search_path": "dispatcher"}
EMPTY = "".join(
    f"DELETE FROM {table};"
    for table in ("delivery", "attempt", "queue", "destination", "result_outbox", "replica", "erased_contact")
)
"""Quicker than TRUNCATE, which makes new files."""


@pytest.fixture(scope="module")
def migrated(module_database: str) -> str:
    migrate("dispatcher", module_database)
    return module_database


DEAD_QUEUES = "INSERT INTO queue (destination, source, project_id) SELECT 'endpoint:' || n, '', 'p' FROM generate_series(1, 2000) n"
FORGOTTEN = """
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, state, due, payload)
SELECT gen_random_uuid(), $1, 'p', 'event', (SELECT max(id) FROM queue), '', 'pending', now(), ''
"""
LOOKS = "SELECT sum(seq_scan + coalesce(idx_scan, 0)) FROM pg_stat_xact_user_tables WHERE relname LIKE 'delivery\\_2%'"
"""Into the tables of single days, in this transaction."""


class TestPostgres(DeliveryStoreSuite, LanesSuite, DestinationsSuite):
    @pytest.fixture
    async def kept(self, migrated: str) -> AsyncIterator[Kept]:
        async with asyncpg.create_pool(migrated, min_size=1, max_size=4, server_settings=SETTINGS) as pool:
            store = PostgresDeliveries(pool, DELIVERY_KINDS)
            async with store.session() as session:
                await session.ensure_days([TODAY])
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


async def test_the_sweep_looks_at_no_queue_of_which_nothing_waits(migrated: str) -> None:
    async with asyncpg.create_pool(migrated, min_size=1, max_size=2, server_settings=SETTINGS) as pool:
        store = PostgresDeliveries(pool, DELIVERY_KINDS)
        async with store.session() as session:
            await session.ensure_days([TODAY])
        await store.close()
        await pool.execute(EMPTY)
        await pool.execute(DEAD_QUEUES)
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute(FORGOTTEN, TODAY)
            await QueueRows(connection, QueueNumbers(), DELIVERY_KINDS, LaneDays()).sweep_queues()
            looks = await connection.fetchval(LOOKS)
            due = await connection.fetchval("SELECT count(*) FROM queue WHERE next_due <= now()")
    assert due == 1
    assert looks < 50


@pytest.mark.parametrize("statement", [deliveries._INSERT, deliveries._UNBLOCK, deliveries._CLAIM, deliveries._RECORD])
async def test_no_statement_of_the_path_reads_all_that_waits(migrated: str, statement: str) -> None:
    """PostgreSQL may make a hash of all unfinished deliveries for an EXISTS beside other conditions: the further an ordered
    endpoint fell behind, the longer each batch took."""
    connection = await asyncpg.connect(migrated, server_settings=SETTINGS)
    try:
        await keep_plans(connection)
        await connection.execute(f"PREPARE one AS {statement}")
        nothing = ", ".join(["NULL"] * len(set(re.findall(r"\$\d+", statement))))
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN (VERBOSE) EXECUTE one ({nothing})"))
    finally:
        await connection.close()
    assert "EXISTS" not in plan
    assert "hashed SubPlan" not in plan
