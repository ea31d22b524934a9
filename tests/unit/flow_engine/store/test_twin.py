"""The twin in memory does what every ConversationStore does, so that tests may stand on it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest

from support.broadcast_walk_suite import BroadcastWalkSuite
from support.broadcasts_in_memory import BroadcastsInMemory
from support.conversation_merging_suite import MergingSuite
from support.conversation_store_suite import ConversationStoreSuite, Kept
from support.conversations_in_memory import ConversationsInMemory


class Walks:
    """support.broadcast_walk_suite.Walks."""

    def __init__(self, twin: BroadcastsInMemory) -> None:
        self._twin = twin

    async def ask(self, name: str, *arguments: Any, **named: Any) -> Any:
        if name == "advance":
            owner, walk, *rest = arguments
            self._twin.check_walk(owner, walk)
            return self._twin.advance(walk, *rest, **named)
        return getattr(self._twin, name)(*arguments, **named)


class TestTwin(ConversationStoreSuite, MergingSuite, BroadcastWalkSuite):
    @pytest.fixture
    def twin(self) -> ConversationsInMemory:
        return ConversationsInMemory()

    @pytest.fixture
    def kept(self, twin: ConversationsInMemory) -> Kept:
        return Kept(twin, nullcontext)

    @pytest.fixture
    def walks(self, twin: ConversationsInMemory) -> Walks:
        return Walks(twin.broadcasts)
