"""After a restore of the database: what it says holds again, on the topic too.

`python -m registry.accept_restore` with the service's environment, while the registry runs. It begins a new generation,
so that the restored versions go before the topic's higher ones. Tokens that the topic knows as revoked stay revoked;
what was made after the backup, and cannot be changed or deleted here any more, ends on the topic. Flow versions are left:
conversations may stand on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import NamedTuple

from contracts.registry import Token
from registry.checking.checks import Checks
from registry.checking.tasks import TARGET
from registry.publishing import audit
from registry.resources import tokens
from registry.settings import Settings
from registry.site import Site
from registry.store import postgres_entities, publications
from registry.store.postgres import SCHEMA
from registry.writing.topic_tail import TopicTail
from registry.writing.unit import Unit
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.database import Database
from servicekit.loop.batches import Connection
from servicekit.workers.pool import WorkerPool

NEW_GENERATION = "UPDATE generation SET number = number + 1 RETURNING number"
KNOWN = "SELECT kind || '/' || id AS key FROM entity"
LEFT = ("flow_version/",)


class RestoreReport(NamedTuple):
    """What the restore came to."""

    generation: int
    revoked: int
    """Tokens that the backup still had."""
    forgotten: int
    """Entities that were made after it."""
    published: int


async def accept_restore(connection: Connection, tail: TopicTail, site: Site) -> RestoreReport:
    """Decide for the database. `tail` has read the topic to its end."""
    async with connection.transaction():
        generation: int = await connection.fetchval(NEW_GENERATION)
        revoked = await _revoke_again(connection, tail, site, generation)
        forgotten = await _end_unknown(connection, tail)
        await publications.add_snapshot(connection)
    table = await audit.rows(connection)
    await audit.publish_again(connection, list(table))
    return RestoreReport(generation, revoked, forgotten, len(table))


async def _revoke_again(connection: Connection, tail: TopicTail, site: Site, generation: int) -> int:
    revoked = 0
    for key in sorted(tail.deleted):
        kind, _, id = key.partition("/")
        stored = await postgres_entities.find(connection, Token, id, lock="FOR UPDATE") if kind == "token" else None
        if stored is not None:
            await tokens.remove(Unit(connection, stored.project_id, generation, site), stored)
            revoked += 1
    return revoked


async def _end_unknown(connection: Connection, tail: TopicTail) -> int:
    known = {row["key"] for row in await connection.fetch(KNOWN)}
    unknown = [key for key in tail.last.keys() - known - tail.deleted if not key.startswith(LEFT)]
    if unknown:
        await publications.add(connection, [(key, None) for key in sorted(unknown)])
    return len(unknown)


async def run(settings: Settings) -> RestoreReport:
    """Read the topic, then decide."""
    checks = Checks(WorkerPool(TARGET, most=1))  # Nothing is checked here, so no process starts.
    site = Site(settings.public_url, KeyRing(settings.kek), LinkKeys(settings.link_key), settings.limits, checks)
    database, tail = Database(SCHEMA), TopicTail(settings.cluster)
    reading = asyncio.create_task(tail.run())
    try:
        pool = await database.connect(settings)
        await tail.read()
        async with pool.acquire() as connection:
            return await accept_restore(connection, tail, site)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await database.close()


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run(run(Settings()))}\n")
