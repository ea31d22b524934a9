"""Queues of the release before get their projects, and a replica of it goes on beside the new ones."""

from __future__ import annotations

from collections.abc import Iterator

import asyncpg
import pytest

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.store.port import Place
from dispatcher.store.postgres import PostgresDeliveries
from servicekit.migrate import migrate_async
from support.databases import Databases

SETTINGS = {"search_path": "dispatcher"}
USED = """
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, state, payload)
SELECT gen_random_uuid(), CURRENT_DATE, 'p', 'event', id, 'events/0', 'pending', '' FROM queue WHERE destination = 'used'
"""


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """Empty."""
    with databases.fresh() as dsn:
        yield dsn


async def test_a_queue_has_the_project_of_its_deliveries_or_of_who_uses_it_next(database: str) -> None:
    await migrate_async("dispatcher", database, "0002")
    async with asyncpg.create_pool(database, min_size=1, max_size=2, server_settings=SETTINGS) as pool:
        await pool.execute("CREATE TABLE delivery_today PARTITION OF delivery DEFAULT")
        await pool.execute("INSERT INTO queue (destination) VALUES ('used'), ('unused')")
        await pool.execute(USED)
        await migrate_async("dispatcher", database)
        await pool.execute("INSERT INTO queue (destination) VALUES ('of an old replica')")
        rows = "SELECT destination, project_id FROM queue"
        assert dict(await pool.fetch(rows)) == {"used": "p", "unused": "", "of an old replica": ""}
        store = PostgresDeliveries(pool, DELIVERY_KINDS)
        await store.queue_ids([Place(each, "", "q") for each in ("used", "unused", "of an old replica")])
        assert dict(await pool.fetch(rows)) == {"used": "p", "unused": "q", "of an old replica": "q"}
        await store.close()
