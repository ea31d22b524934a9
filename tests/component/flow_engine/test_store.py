"""PostgresConversations does what every ConversationStore does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial

import pytest

from flow_engine.store.postgres import PostgresConversations
from support.conversation_merging_suite import MergingSuite
from support.conversation_store_suite import ConversationStoreSuite, Kept
from support.engine_database import engine_pool, transaction_of


class TestPostgres(ConversationStoreSuite, MergingSuite):
    @pytest.fixture
    async def kept(self, module_database: str) -> AsyncIterator[Kept]:
        async with engine_pool(module_database) as pool:
            store = PostgresConversations(pool)
            yield Kept(store, partial(transaction_of, pool))
            await store.close()
