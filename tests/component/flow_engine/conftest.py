"""An engine per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from support.databases import Databases
from support.engine import RunningEngine, engine_on
from support.engine_flows import CALL, CODE, DELAY, HUGE, LECTURE, REPORT


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """With the service's tables; for one test."""
    with databases.fresh("flow_engine") as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(databases: Databases) -> Iterator[str]:
    """With the service's tables; for the tests of one file."""
    with databases.fresh("flow_engine") as dsn:
        yield dsn


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """At work, with all the flows of support.engine_flows."""
    async with engine_on(kafka, database, LECTURE, CALL, DELAY, CODE, REPORT, HUGE) as running:
        await running.start()
        yield running
