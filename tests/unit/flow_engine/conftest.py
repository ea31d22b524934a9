"""An engine on the twin in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import nullcontext

import pytest

from support.conversations_in_memory import ConversationsInMemory
from support.engine_flows import CALL, CARDS, CODE, DELAY, HUGE, LECTURE, REPORT
from support.engine_world import ENTITIES, EngineWorld, LazySandbox, published
from support.registry_in_memory import ViewInMemory


@pytest.fixture
async def world() -> AsyncIterator[EngineWorld]:
    """With all the flows of support.engine_flows."""
    view, sandbox = ViewInMemory(*ENTITIES, *published(LECTURE, CALL, DELAY, CODE, REPORT, HUGE, CARDS)), LazySandbox()
    world = EngineWorld(ConversationsInMemory(), nullcontext, view, sandbox)
    yield world
    await world.deferring.close()
    await sandbox.close()
