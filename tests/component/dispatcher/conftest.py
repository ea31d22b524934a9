"""Somebody else's server, a Telegram, and a dispatcher that may reach them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from support.databases import Databases
from support.dispatcher import RunningDispatcher, channel, dispatcher_on
from support.fake_telegram import FakeTelegram, fake_telegram
from support.receiver import Receiver, receiver


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """With the service's tables; for one test."""
    with databases.fresh("dispatcher") as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(databases: Databases) -> Iterator[str]:
    """With the service's tables; for the tests of one file."""
    with databases.fresh("dispatcher") as dsn:
        yield dsn


@pytest.fixture
async def sink() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def telegram() -> AsyncIterator[FakeTelegram]:
    async with fake_telegram() as made:
        yield made


@pytest.fixture
async def dispatcher(kafka: str, database: str, telegram: FakeTelegram) -> AsyncIterator[RunningDispatcher]:
    """Knows the Telegram channel; tests add what else they need and start it."""
    async with dispatcher_on(kafka, database, channel(telegram.url)) as running:
        yield running
