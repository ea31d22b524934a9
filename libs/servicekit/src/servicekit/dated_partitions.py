"""Partitions of a table by days, made and dropped beside a backup that reads the table for hours.

`CREATE TABLE … PARTITION OF` and `DROP TABLE` of a partition want the table for themselves (ACCESS EXCLUSIVE), so they wait
behind every reader, and everybody else waits behind them meanwhile.
"""

from __future__ import annotations

from datetime import date

import asyncpg
import structlog

from servicekit.database import Connection

DROP_TIMEOUT = "100ms"
"""How long a drop waits for readers of the table. Others wait behind it for so long."""

log = structlog.get_logger()


async def make(connection: Connection, table: str, name: str, start: date, end: date) -> None:
    """A partition for the days from `start` to the one before `end`. Attaching waits for no reader or writer of the table."""
    await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
    await connection.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{start}') TO ('{end}')")


async def drop(connection: Connection, name: str) -> bool:
    """Drop the partition, if it is there. False when somebody reads its table: it stays until the next time."""
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{DROP_TIMEOUT}'")
            await connection.execute(f"DROP TABLE IF EXISTS {name}")
    except asyncpg.LockNotAvailableError:
        log.info("partition.in_use", name=name)
        return False
    return True
