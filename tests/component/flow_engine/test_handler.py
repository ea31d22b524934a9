"""The engine over PostgreSQL: conversations, and what a batch does."""

from __future__ import annotations

from support.engine_suite import BatchSuite, ConversationSuite


class TestConversationsOnPostgres(ConversationSuite):
    pass


class TestBatchesOnPostgres(BatchSuite):
    pass
