"""Titles of received webhooks in the table of contacts, over PostgreSQL."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from flow_engine.store import webhook_titles
from support.engine_database import engine_pool
from support.waiting import eventually

MADE = "INSERT INTO contact (id, project_id, bot_id) SELECT id, 'p', 'b' FROM unnest($1::uuid[]) id"
WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
TITLES = "SELECT webhook_titles FROM contact WHERE id = $1"


async def test_a_title_that_is_told_while_its_contact_is_merged_is_the_survivors(module_database: str) -> None:
    gone, survivor = uuid4(), uuid4()
    async with engine_pool(module_database) as pool:
        await pool.execute(MADE, [gone, survivor])

        async def told() -> None:
            async with pool.acquire() as connection, connection.transaction():
                await webhook_titles.add({(str(gone), "Order paid")}, connection)

        async with pool.acquire() as merging, merging.transaction():
            await webhook_titles.join(gone, survivor, merging)
            await merging.execute("UPDATE contact SET merged_into = $2 WHERE id = $1", gone, survivor)
            telling = asyncio.create_task(told())
            await eventually(lambda: pool.fetchval(WAITS))
        await telling
        assert await pool.fetchval(TITLES, survivor) == ["Order paid"]
