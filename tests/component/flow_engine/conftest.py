"""An engine per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.engine import RunningEngine, engine_on
from support.engine_flows import CALL, CODE, DELAY, HUGE, LECTURE, REPORT


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """At work, with all the flows of support.engine_flows."""
    async with engine_on(kafka, database, LECTURE, CALL, DELAY, CODE, REPORT, HUGE) as running:
        await running.start()
        yield running
