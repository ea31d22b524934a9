"""An engine per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.engine_flows import LECTURE
from support.engine import RunningEngine, engine_on


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """At work, with the lecture flow."""
    async with engine_on(kafka, database, LECTURE) as running:
        await running.start()
        yield running
