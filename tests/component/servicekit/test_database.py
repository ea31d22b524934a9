import asyncio
import contextlib
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from servicekit.columns import Columns
from servicekit.database import NOT_THERE, Database, connect
from servicekit.settings import ServiceSettings
from support.waiting import eventually


def settings(dsn: str | None) -> ServiceSettings:
    return ServiceSettings.model_construct(database=None if dsn is None else SecretStr(dsn), instance="test-1")


@pytest.fixture
async def pool(database):
    pool = await connect(settings(database), "sample")
    yield pool
    await pool.close()


async def test_connections_are_set_up(pool):
    shown = {
        name: await pool.fetchval(f"SHOW {name}")
        for name in ("search_path", "lock_timeout", "idle_in_transaction_session_timeout", "application_name", "jit")
    }
    assert shown == {
        "search_path": "sample",
        "lock_timeout": "2s",
        "idle_in_transaction_session_timeout": "10s",
        "application_name": "sample/test-1",
        "jit": "off",
    }


class Row(NamedTuple):
    """One column of each type that the services' rows have."""

    id: str
    name: str | None
    size: int
    many: int
    share: float
    yes: bool
    at: datetime
    body: bytes


async def test_rows_as_arrays_come_as_they_were_sent_once_and_again(pool):
    columns = Columns(Row, "uuid text int bigint float8 bool timestamptz bytea")
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        Row(str(uuid4()), None, 1, 2**62, 0.5, True, at, b"\0"),
        Row(str(uuid4()), "{a,b}", 2, 3, 1.5, False, at, b""),
    ]
    arrays = columns.arrays(rows)
    for _ in range(2):
        found = await pool.fetch(f"SELECT * FROM {columns.unnest()}", *arrays)
        assert [Row(*row)._replace(id=str(row["id"])) for row in found] == rows
    assert await pool.fetch(f"SELECT * FROM {columns.unnest()}", *columns.arrays([])) == []


async def test_requests_that_hold_all_connections_of_the_api_hold_none_of_the_work(database, monkeypatch):
    async def at_once(*_):
        pass

    monkeypatch.setattr(Database, "_until_migrated", at_once)
    ours = Database("sample")
    work = await ours.connect(settings(database))
    held = [await ours.pool.acquire() for _ in range(ours.pool.get_max_size())]
    try:
        async with asyncio.timeout(2):
            assert await work.fetchval("SELECT 1") == 1
    finally:
        for connection in held:
            await ours.pool.release(connection)
        await ours.close()


async def test_a_lost_connection_is_replaced(pool, database):
    lost = await pool.fetchval("SELECT pg_backend_pid()")
    other = await asyncpg.connect(database)
    await other.execute("SELECT pg_terminate_backend($1)", lost)
    await other.close()

    async def another() -> bool:
        with contextlib.suppress(*NOT_THERE):
            return await pool.fetchval("SELECT pg_backend_pid()") != lost
        return False

    await eventually(another)


async def test_a_database_that_comes_later_is_waited_for(database, monkeypatch):
    real, refusals = asyncpg.create_pool, [ConnectionRefusedError(), asyncpg.CannotConnectNowError("starting up")]

    async def sometimes(*args, **kwargs):
        if refusals:
            raise refusals.pop()
        return await real(*args, **kwargs)

    monkeypatch.setattr(asyncpg, "create_pool", sometimes)
    monkeypatch.setattr("servicekit.database.RETRY_SECONDS", (0,))
    async with asyncio.timeout(10):
        pool = await connect(settings(database), "sample")
    assert await pool.fetchval("SELECT 1") == 1
    await pool.close()


async def test_what_waiting_does_not_cure_is_raised(database):
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await connect(settings(database + "_not_there"), "sample")
    with pytest.raises(ValueError, match="SWITCHHOOK_DATABASE"):
        await connect(settings(None), "sample")
