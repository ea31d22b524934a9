"""An engine per test: with Kafka, or its handler alone over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

import asyncpg
import httpx
import pytest

from flow_engine.batch import broadcasting
from flow_engine.store.postgres import PostgresConversations
from support.broadcasts import Sender, bot_of
from support.data_api import KafkaOfWorld, data_api
from support.databases import Databases
from support.engine import RunningEngine, engine_on
from support.engine_database import PSEUDONYMS, engine_pool, transaction_of
from support.engine_flows import CALL, CARDS, CODE, DELAY, HUGE, LECTURE, REPORT
from support.engine_world import ENTITIES, EngineWorld, LazySandbox, published
from support.registry_in_memory import ViewInMemory

FLOWS = (LECTURE, CALL, DELAY, CODE, REPORT, HUGE, CARDS)


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
    async with engine_on(kafka, database, *FLOWS) as running:
        await running.start()
        yield running


@pytest.fixture
async def world(module_database: str) -> AsyncIterator[EngineWorld]:
    """The same flows and tables, driven without Kafka."""
    sandbox = LazySandbox()
    async with engine_pool(module_database) as pool:
        store = PostgresConversations(pool, PSEUDONYMS)
        world = EngineWorld(store, partial(transaction_of, pool), ViewInMemory(*ENTITIES, *published(*FLOWS)), sandbox)
        yield world
        await world.deferring.close()
        await store.close()
        await sandbox.close()


@pytest.fixture
async def pool(module_database: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """Connections to the tables of the world."""
    async with engine_pool(module_database) as pool:
        yield pool


@pytest.fixture
async def http(world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[httpx.AsyncClient]:
    """The engine's API over the world."""
    async with data_api(world, pool, KafkaOfWorld(world)) as client:
        yield client


@pytest.fixture
def without_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broadcasts are looked at whenever a test asks."""
    monkeypatch.setattr(broadcasting, "LONGEST_PAUSE", 0.0)


@pytest.fixture
def sender(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], http: httpx.AsyncClient, without_rests: None
) -> Sender:
    """A bot of its own, with broadcasts."""
    return Sender(world, pool, http, bot_of(world))
