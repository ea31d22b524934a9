"""What the leader does beside publishing: audits the topic, marks snapshots, ends what is deleted or over, retires secrets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import structlog

from registry.publishing import audit, leader
from registry.store import postgres_circuits, postgres_settled_letters, postgres_trigger_requests, publications
from registry.values import endpoint_secrets, expired_urls, unsealed
from registry.values.resealed import Resealing
from registry.writing import idempotency
from registry.writing.topic_tail import TopicTail
from servicekit.credentials.sealing import KeyRing
from servicekit.loop.batches import Connection

SNAPSHOT_SECONDS = 3600.0
CHORES_SECONDS = 10.0
SHOWN = 5
UNDECIDED_SECONDS = 1.0
"""Between two looks at whether an operator has decided."""
ENDED_AT_ONCE = 500
END_DELETED = """
    WITH gone AS (
        SELECT kind, id FROM entity
        WHERE deleted_at < now() - interval '24 hours' AND NOT buried LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    UPDATE entity SET buried = true FROM gone WHERE entity.kind = gone.kind AND entity.id = gone.id
    RETURNING entity.kind || '/' || entity.id AS key
"""

log = structlog.get_logger()


class Housekeeping:
    """One term of a leader. `keep` is called at least once a second and does what is due."""

    def __init__(self, tail: TopicTail, keys: KeyRing) -> None:
        self._tail, self._keys = tail, keys
        self._reading_audited = 0
        self.problem: str | None = None
        """While there is one nothing of the table is published: what the topic has may be what holds."""
        self.marker: bytes | None = None
        """What readers are to be told at once while there is one: the tokens that nobody may use. Taken by the relay."""
        self._resealing = Resealing(keys)
        self._next_snapshot = self._next_chores = float("-inf")

    async def keep(self, connection: Connection) -> None:
        await leader.beat(connection)
        now = time.monotonic()
        reading = self._tail.readings
        if reading != self._reading_audited and await self._audit(connection):
            self._reading_audited = reading
            self._next_snapshot = float("-inf")
        if self._tail.suspects:
            await self._clear_suspects(connection)
        if now >= self._next_snapshot:
            self._next_snapshot = now + SNAPSHOT_SECONDS
            self._resealing.look_again()
            await expired_urls.end_over(connection)
            async with connection.transaction():
                await publications.add_snapshot(connection)
        if now >= self._next_chores:
            self._next_chores = now + (UNDECIDED_SECONDS if self.problem else CHORES_SECONDS)
            await self._chores(connection)

    async def _audit(self, connection: Connection) -> bool:
        """False when the topic could not be read up to what the table says is on it."""
        table = await self._mend(connection, None)
        if table is None:
            return False
        newer = audit.ahead(table, self._tail.last)
        unknown = await audit.unknown(connection, self._tail)
        problem = went_back(len(newer), unknown)
        if problem and problem != self.problem:
            log.error("registry.database_went_back", reason=problem)
            self.marker = await publications.snapshot(connection, _tokens(unknown))
        self.problem = problem
        return True

    async def _clear_suspects(self, connection: Connection) -> None:
        suspects, self._tail.suspects = self._tail.suspects, set()
        if await self._mend(connection, suspects) is None:
            self._tail.suspects |= suspects

    async def _mend(self, connection: Connection, keys: set[str] | None) -> audit.Rows | None:
        """Publish again what the topic shows too old, of these keys (None: of all); the rows that were compared.

        None when the topic could not be read so far that this can be told.
        """
        table = await audit.rows(connection, keys)
        if not await self._tail.caught_up():
            return None
        await audit.publish_again(connection, audit.behind(table, self._tail.last))
        return table

    async def _chores(self, connection: Connection) -> None:
        if self.problem:
            await self._audit(connection)
        await end_deleted(connection)
        await idempotency.forget_old(connection)
        await postgres_settled_letters.forget_old(connection)
        await postgres_circuits.forget_old(connection)
        await postgres_trigger_requests.forget_old(connection)
        await endpoint_secrets.retire_due(connection)
        await unsealed.seal_due(connection, self._keys)
        await self._resealing.reseal_some(connection)


def went_back(newer: int, unknown: Sequence[str]) -> str | None:
    """The sentence for an operator, None when the table is as new as the topic."""
    if not (newer or unknown):
        return None
    named = ", ".join(unknown[:SHOWN]) + (f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else "")
    lacks = f", and {len(unknown)} are unknown to it ({named}), whose tokens are refused" if unknown else ""
    return (
        f"the database is older than its topic: {newer} entities are newer there{lacks}. Nothing is published until"
        " `switchhook-ops checkpoints accept-restore registry again` says that the database holds"
    )


def _tokens(keys: Iterable[str]) -> list[str]:
    return [key.removeprefix("token/") for key in keys if key.startswith("token/")]


async def end_deleted(connection: Connection) -> None:
    """End deleted entities on the topic with a null, 24 h after their delete marker."""
    async with connection.transaction():
        keys = [row["key"] for row in await connection.fetch(END_DELETED, ENDED_AT_ONCE)]
        if keys:
            await publications.add(connection, [(key, None) for key in keys])
