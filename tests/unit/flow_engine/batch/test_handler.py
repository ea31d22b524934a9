"""The engine on the twin in memory: conversations, and what a batch does."""

from __future__ import annotations

from support.engine_batch_suite import BatchSuite
from support.engine_callers_suite import CallersSuite
from support.engine_conversation_suite import ConversationSuite


class TestConversationsOnTheTwin(ConversationSuite):
    pass


class TestBatchesOnTheTwin(BatchSuite):
    pass


class TestCallersOnTheTwin(CallersSuite):
    pass
