"""The engine on the twin in memory: conversations, and what a batch does."""

from __future__ import annotations

from support.engine_batch_suite import BatchSuite
from support.engine_callers_suite import CallersSuite
from support.engine_conversation_suite import ConversationSuite
from support.engine_deferring_suite import DeferringSuite
from support.engine_erasing_suite import ErasingSuite
from support.engine_events_suite import EventsSuite
from support.engine_live_chat_suite import LiveChatSuite
from support.engine_models_suite import ModelsSuite
from support.engine_own_contacts_suite import OwnContactsSuite


class TestConversationsOnTheTwin(ConversationSuite):
    pass


class TestBatchesOnTheTwin(BatchSuite):
    pass


class TestDeferredTurnsOnTheTwin(DeferringSuite):
    pass


class TestCallersOnTheTwin(CallersSuite):
    pass


class TestOwnContactsOnTheTwin(OwnContactsSuite):
    pass


class TestLiveChatOnTheTwin(LiveChatSuite):
    pass


class TestErasingOnTheTwin(ErasingSuite):
    pass


class TestModelsOnTheTwin(ModelsSuite):
    pass


class TestEventsOnTheTwin(EventsSuite):
    pass
