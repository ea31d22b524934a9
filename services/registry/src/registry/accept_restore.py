"""After a restore of the database: what it says holds again, on the topic too.

`python -m registry.accept_restore VERB` with the service's environment, while the registry runs;
`switchhook-ops checkpoints accept-restore registry` runs it. `report` says what the topic has and the database lacks; `again`
and `skip`, which differ for findings only, begin a new generation, so that the restored versions go before the topic's
higher ones. Tokens that the topic knows as revoked stay revoked; what was made after the backup, and cannot be changed or
deleted here any more, ends on the topic. Flow versions are left: conversations may stand on them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import NamedTuple

import orjson

from contracts.registry import Token, entity_key
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
from servicekit.kafka.cluster import Cluster
from servicekit.loop.batches import Connection
from servicekit.workers.pool import WorkerPool

NEW_GENERATION = "UPDATE generation SET number = number + 1 RETURNING number"


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
    unknown = await audit.unknown(connection, tail)
    if unknown:
        await publications.add(connection, [(key, None) for key in unknown])
    return len(unknown)


class NamedTail(TopicTail):
    """Knows also what its users call each entity."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.names: dict[str, str] = {}

    def _take(self, key: str, value: bytes | None) -> None:
        super()._take(key, value)
        with contextlib.suppress(ValueError, LookupError, AttributeError, TypeError):
            self.names[key] = str(orjson.loads(value or b"{}")["data"]["name"])
        # What has no name is called by its key.


async def decide(connection: Connection, tail: NamedTail, site: Site, verb: str) -> list[str]:
    """What there is to decide (`report`), or what was done, as sentences. Nothing when the table is as new as the topic."""
    newer = audit.ahead(await audit.rows(connection), tail.last)
    unknown = await audit.unknown(connection, tail)
    if not (newer or unknown):
        return []
    if verb == "report":
        lines = [f"{entity_key(*entity)} is newer on the topic" for entity in newer]
        return lines + [f"{key} ({tail.names.get(key, 'without a name')}) is unknown to the backup" for key in unknown]
    done = await accept_restore(connection, tail, site)
    return [
        f"The database holds: {done.published} entities are published again, {done.forgotten} that were made after the backup"
        f" are ended, {done.revoked} tokens stay revoked."
    ]


async def run(settings: Settings, verb: str) -> list[str]:
    """Read the topic, then decide."""
    checks = Checks(WorkerPool(TARGET, most=1))  # Nothing is checked here, so no process starts.
    site = Site(settings.public_url, KeyRing(settings.kek), LinkKeys(settings.link_key), settings.limits, checks)
    database, tail = Database(SCHEMA), NamedTail(settings.cluster)
    reading = asyncio.create_task(tail.run())
    try:
        pool = await database.connect(settings)
        await tail.read()
        async with pool.acquire() as connection:
            return await decide(connection, tail, site, verb)
    finally:
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await database.close()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(run(Settings(), sys.argv[1] if len(sys.argv) > 1 else "again"))))
