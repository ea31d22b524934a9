"""One replica leads: it publishes and keeps house. Decided by an advisory lock in Postgres.

A leader whose process is frozen keeps its connection, and with it the lock, so it also has to beat. Whoever waits for
the lock ends the connection of one that did not; Kafka's transactional id fences what it may still have in hand.
"""

from __future__ import annotations

import asyncpg
import structlog

from registry.store.postgres import RELAY_LOCK
from servicekit.loop.batches import Connection

LOCK = "SELECT pg_advisory_lock($1, $2)"
UNLOCK = "SELECT pg_advisory_unlock($1, $2)"
BEAT = "UPDATE leader SET beat = now()"
OUST = """
    SELECT pg_terminate_backend(pid) FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND classid = $1 AND objid = $2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND (SELECT beat FROM leader) < now() - make_interval(secs => $3)
"""

log = structlog.get_logger()


async def elect(connection: Connection, frozen_after_seconds: float) -> bool:
    """Whether this connection leads now; waits for it as long as the pool's lock time-out."""
    try:
        await connection.execute(LOCK, *RELAY_LOCK)
    except asyncpg.LockNotAvailableError:
        if await connection.fetch(OUST, *RELAY_LOCK, frozen_after_seconds):
            log.warning("leader.ousted")
        return False
    await beat(connection)
    return True


async def beat(connection: Connection) -> None:
    """The leader lives."""
    await connection.execute(BEAT)


async def resign(connection: Connection) -> None:
    """Let another one lead."""
    if not connection.is_closed():
        await connection.execute(UNLOCK, *RELAY_LOCK)
