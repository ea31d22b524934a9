"""The statements of servicekit.checkpoints on PostgreSQL, by the suite that holds their twin to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import asyncpg
import pytest

from servicekit.checkpoints import fence, outbox
from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.outbox import Row
from servicekit.kafka.records import Outgoing
from support.checkpoints_suite import PART, TOPIC, CheckpointsSuite
from support.ledger import ledger_pool


class InPostgres:
    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def bump(self, owner: UUID, predecessors: Sequence[UUID] | None) -> Hold | None:
        async with self._pool.acquire() as connection:
            return await fence.bump(connection, TOPIC, PART, owner, predecessors=predecessors)

    async def create(self, owner: UUID, start: int, incarnation: str | None = None) -> Hold:
        at = {"start": start, "partitions": 3}
        async with self._pool.acquire() as connection:
            return await fence.create(connection, TOPIC, PART, owner, **at, incarnation=incarnation)

    async def other_count(self, partitions: int) -> int | None:
        async with self._pool.acquire() as connection:
            return await fence.other_count(connection, TOPIC, partitions)

    async def advance(
        self, move: CheckpointMove, published: Sequence[tuple[int, str]] = (), *, keep: bool = True
    ) -> set[int]:
        async with self._pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            moved = await fence.advance(connection, TOPIC, [move], published)
            await (transaction.commit() if keep else transaction.rollback())
            return moved

    async def lock(self, hold: Hold) -> bool:
        async with self._pool.acquire() as connection, connection.transaction():
            return await fence.lock(connection, TOPIC, hold)

    async def add(self, name: str, records: list[Outgoing]) -> None:
        async with self._pool.acquire() as connection:
            await outbox.add(connection, TOPIC, PART, name, records)

    async def unsent(self) -> list[Row]:
        async with self._pool.acquire() as connection:
            return await outbox.unsent(connection, TOPIC, PART)

    async def delete(self, name: str) -> None:
        async with self._pool.acquire() as connection:
            await outbox.delete(connection, TOPIC, [(PART, name)])


class TestPostgres(CheckpointsSuite):
    @pytest.fixture
    async def tables(self, database: str) -> AsyncIterator[InPostgres]:
        async with ledger_pool(database) as pool:
            yield InPostgres(pool)
