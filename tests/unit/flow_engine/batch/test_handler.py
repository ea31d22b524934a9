"""The engine on the twin in memory: conversations, and what a batch does."""

from __future__ import annotations

from support.engine_suite import BatchSuite, ConversationSuite


class TestConversationsOnTheTwin(ConversationSuite):
    pass


class TestBatchesOnTheTwin(BatchSuite):
    pass
