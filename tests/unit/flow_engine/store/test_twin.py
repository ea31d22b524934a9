"""The twin in memory does what every ConversationStore does, so that tests may stand on it."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from support.conversation_merging_suite import MergingSuite
from support.conversation_store_suite import ConversationStoreSuite, Kept
from support.conversations_in_memory import ConversationsInMemory


class TestTwin(ConversationStoreSuite, MergingSuite):
    @pytest.fixture
    def kept(self) -> Kept:
        return Kept(ConversationsInMemory(), nullcontext)
