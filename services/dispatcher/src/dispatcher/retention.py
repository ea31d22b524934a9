"""The day partitions of deliveries and attempts: made before they are needed, dropped when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import date, timedelta

import asyncpg
import structlog

from servicekit.batches import Connection
from servicekit.infrastructure import is_infrastructure

TABLES = ("delivery", "attempt")
AHEAD = 2
EVERY_SECONDS = 3600.0
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('dispatcher day partitions'))"
_EXISTING = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass
"""
_UNFINISHED = "SELECT count(*) FROM delivery WHERE day = $1 AND finished_at IS NULL"

log = structlog.get_logger()


async def ensure_days(connection: Connection, days: Iterable[date]) -> None:
    """Make the partitions of these days, where they are missing."""
    async with connection.transaction():
        await connection.execute(_LOCK)
        for table in TABLES:
            names = {row[0] for row in await connection.fetch(_EXISTING, table)}
            for day in sorted(set(days)):
                if _name(table, day) not in names:
                    await connection.execute(
                        f"CREATE TABLE {_name(table, day)} PARTITION OF {table}"
                        f" FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}')"
                    )


async def drop_before(connection: Connection, oldest: date) -> None:
    """Drop the partitions of days before `oldest`, even with deliveries that never ended: those are logged."""
    for table in TABLES:
        for name in sorted(row[0] for row in await connection.fetch(_EXISTING, table)):
            day = date.fromisoformat(name.rsplit("_", 1)[1])
            if day < oldest:
                unfinished = await connection.fetchval(_UNFINISHED, day) if table == "delivery" else 0
                await connection.execute(f"DROP TABLE IF EXISTS {name}")
                log.info("day.dropped", name=name, unfinished=unfinished)


async def keep_up_for_ever(pool: asyncpg.Pool[asyncpg.Record], retention_days: int, *, first: asyncio.Event) -> None:
    """Keep up every hour, by Postgres's date; `first` is set once it was done."""
    while True:
        try:
            async with pool.acquire() as connection:
                today: date = await connection.fetchval("SELECT CURRENT_DATE")
                await ensure_days(connection, [today + timedelta(days=each) for each in range(-1, AHEAD + 1)])
                await drop_before(connection, today - timedelta(days=retention_days))
        except Exception as error:
            if not is_infrastructure(error):
                raise
            log.warning("retention.failed", error=repr(error))
            await asyncio.sleep(5)
            continue
        first.set()
        await asyncio.sleep(EVERY_SECONDS)


def _name(table: str, day: date) -> str:
    return f"{table}_{day.isoformat().replace('-', '')}"
