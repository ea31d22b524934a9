"""The partitions of the logs: made ahead of time, dropped when their time is over. So a purge costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import asyncpg
import structlog

from flow_engine.store import erasures, node_counts
from servicekit import dated_partitions
from servicekit.loop.batches import Connection

AHEAD = 3
"""Partitions made beyond the present one: what the service survives without this upkeep."""
EVERY_SECONDS = 3600
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('flow_engine log partitions'))"
_EXISTING = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = $1::text::regclass
"""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Log:
    """A log table. `monthly`: a partition a month, else a day. `keep_days`: None keeps everything."""

    table: str
    monthly: bool
    keep_days: int | None


def logs(chat_days: int | None, event_days: int) -> tuple[Log, ...]:
    """The logs with their retention: what happened in conversations is kept as long as what became of events."""
    return (
        Log("message", True, chat_days),
        Log("event_log", False, event_days),
        Log("trace", False, event_days),
        Log("node_count", True, node_counts.KEPT_DAYS),
    )


def _start(day: date, monthly: bool) -> date:
    return day.replace(day=1) if monthly else day


def _next(start: date, monthly: bool) -> date:
    return (start + timedelta(days=32)).replace(day=1) if monthly else start + timedelta(days=1)


def wanted(table: Log, today: date) -> Iterator[tuple[str, date, date]]:
    """(name, from, to) of the partitions that must exist today."""
    start = _start(today - timedelta(days=1), table.monthly)
    for _ in range(AHEAD + 2):
        end = _next(start, table.monthly)
        yield f"{table.table}_{start:%Y%m%d}", start, end
        start = end


def outlived(table: Log, names: list[str], today: date) -> list[str]:
    """Those partitions whose youngest row is past the retention."""
    if table.keep_days is None:
        return []
    oldest = today - timedelta(days=table.keep_days)
    return [n for n in names if _next(date.fromisoformat(n.rsplit("_", 1)[1]), table.monthly) <= oldest]


async def keep_up(connection: Connection, tables: tuple[Log, ...]) -> None:
    """Make and drop what today asks for; by Postgres's date, and only one process makes them at a time."""
    over: list[str] = []
    async with connection.transaction():
        await connection.execute(_LOCK)
        today: date = await connection.fetchval("SELECT CURRENT_DATE")
        for table in tables:
            names = [row["relname"] for row in await connection.fetch(_EXISTING, table.table)]
            over += outlived(table, names, today)
            for name, start, end in wanted(table, today):
                if name not in names:
                    await dated_partitions.make(connection, table.table, name, start, end)
    for name in over:
        if await dated_partitions.drop(connection, name):
            log.info("log_partition.dropped", name=name)


async def keep_up_for_ever(
    pool: asyncpg.Pool[asyncpg.Record], tables: tuple[Log, ...], *, first: asyncio.Event
) -> None:
    """Keep up every hour, and forget old erasures; `first` is set once it was done."""
    while True:
        try:
            async with pool.acquire() as connection:
                await keep_up(connection, tables)
                await erasures.forget(connection)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.warning("log_partitions.failed", error=repr(error))
            await asyncio.sleep(5)
            continue
        first.set()
        await asyncio.sleep(EVERY_SECONDS)
