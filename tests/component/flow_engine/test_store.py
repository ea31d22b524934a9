"""PostgresConversations does what every ConversationStore does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from flow_engine.errors import StaleContact
from flow_engine.state.rows import Identity
from flow_engine.state.work import Work
from flow_engine.store import broadcast_walk, broadcasts, identities
from flow_engine.store.postgres import PostgresConversations
from servicekit.loop.batches import Connection
from support.broadcast_walk_suite import BroadcastWalkSuite
from support.conversation_merging_suite import MergingSuite
from support.conversation_store_suite import PROJECT, ConversationStoreSuite, Kept
from support.engine_database import PSEUDONYMS, engine_pool, transaction_of
from support.waiting import eventually


class Walks:
    """support.broadcast_walk_suite.Walks."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        async with transaction_of(self._pool) as connection:
            if name == "turn":
                return await broadcasts.turn(connection, PROJECT, *arguments)
            statement = broadcasts.make if name == "make" else getattr(broadcast_walk, name)
            return await statement(connection, *arguments, **named)


class TestPostgres(ConversationStoreSuite, MergingSuite, BroadcastWalkSuite):
    @pytest.fixture
    async def pool(self, module_database: str) -> AsyncIterator[Any]:
        async with engine_pool(module_database) as pool:
            yield pool

    @pytest.fixture
    async def kept(self, pool: Any) -> AsyncIterator[Kept]:
        store = PostgresConversations(pool, PSEUDONYMS)
        yield Kept(store, partial(transaction_of, pool))
        await store.close()

    @pytest.fixture
    def walks(self, pool: Any) -> Walks:
        return Walks(pool)


async def test_of_two_contacts_that_are_told_one_external_id_at_once_one_is_judged_again(module_database: str) -> None:
    """Each was judged while nobody had it: by their own keys they are two people, and stay so."""
    ben, anna = (str(uuid4()) for _ in range(2))

    def told(id: str) -> Work:
        return Work(own_writes={id}, verified=[Identity("a bot", "external_id", "c-1", id)])

    async with engine_pool(module_database) as pool, pool.acquire() as first, pool.acquire() as second:
        for id in (ben, anna):
            await pool.execute("INSERT INTO contact (id, project_id, bot_id) VALUES ($1, 'p', 'a bot')", id)
        waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1"
        begun = first.transaction()
        await begun.start()
        await identities.save(told(ben), first)
        async with second.transaction(), asyncio.TaskGroup() as tasks:
            tasks.create_task(refused(told(anna), second))
            await eventually(lambda: pool.fetchval(f"SELECT ({waits}) = 'Lock'", second.get_server_pid()))
            await begun.commit()
        holder = await pool.fetchval("SELECT contact_id FROM identity WHERE bot_id = 'a bot' AND value = 'c-1'")
        assert str(holder) == ben
        assert await pool.fetchval("SELECT count(*) FROM contact WHERE merged_into IS NOT NULL") == 0


async def refused(work: Work, connection: Connection) -> None:
    with pytest.raises(StaleContact):
        await identities.save(work, connection)
