"""The day partitions of deliveries and attempts: made before they are needed, dropped when their time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import asyncpg
import structlog

from contracts.cloudevents import now_text
from dispatcher.model.delivery import DeliveryKind
from dispatcher.results import reports
from dispatcher.store import result_outbox
from dispatcher.store.postgres_deliveries import Lease, delivery_of, end_of_day
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure

TABLES = ("delivery", "attempt")
AHEAD = 2
EVERY_SECONDS = 3600.0
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('dispatcher day partitions'))"
_EXISTING = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass
"""
WHY = "It outlived the time that deliveries are kept."
_DESTINATION = "SELECT destination FROM queue WHERE id = $1"

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


async def drop_before(connection: Connection, oldest: date, kinds: Mapping[str, DeliveryKind]) -> None:
    """Drop the partitions of days before `oldest`; a delivery in one that never ended ends, and is told of, first."""
    for table in TABLES:
        for name in sorted(row[0] for row in await connection.fetch(_EXISTING, table)):
            day = date.fromisoformat(name.rsplit("_", 1)[1])
            if day < oldest:
                unfinished = await _end_unfinished(connection, day, kinds) if table == "delivery" else 0
                await connection.execute(f"DROP TABLE IF EXISTS {name}")
                log.info("day.dropped", name=name, unfinished=unfinished)


async def _end_unfinished(connection: Connection, day: date, kinds: Mapping[str, DeliveryKind]) -> int:
    """End what is unfinished as discarded; how many there were."""
    ended, lease = 0, Lease(0)
    while True:
        async with connection.transaction():
            rows = await end_of_day(connection, day, WHY)
            if not rows:
                return ended
            names = {each: await connection.fetchval(_DESTINATION, each) for each in {row["queue_id"] for row in rows}}
            dropped = [delivery_of(row, names[row["queue_id"]], lease, kinds) for row in rows]
            outgoing = [record for each in dropped for record in reports.of_dropped(each, WHY, now_text())]
            if outgoing:
                await result_outbox.add(connection, outgoing)
            ended += len(rows)


async def keep_up_for_ever(
    pool: asyncpg.Pool[asyncpg.Record], retention_days: int, kinds: Mapping[str, DeliveryKind], *, first: asyncio.Event
) -> None:
    """Keep up every hour, by Postgres's date; `first` is set once it was done."""
    while True:
        try:
            async with pool.acquire() as connection:
                today: date = await connection.fetchval("SELECT CURRENT_DATE")
                await ensure_days(connection, [today + timedelta(days=each) for each in range(-1, AHEAD + 1)])
                await drop_before(connection, today - timedelta(days=retention_days), kinds)
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
