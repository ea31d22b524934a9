"""A process with two loops in a row, to be killed: a ledger, and a follower that checks what the ledger says.

`python -m support.process support.ledger_worker KAFKA DSN IN MID OUT INSTANCE`. The follower notes a total that does not come right
after the one before it, so that a lost, repeated or misplaced record shows in the tables.
"""

from __future__ import annotations

import asyncio

import asyncpg
import orjson

from servicekit.kafka.records import Outgoing, Record
from servicekit.loop.partition_loop import Batch, Commit, Connection, PartitionLoop
from support.ledger import Ledger, ledger_pool, make_loop

FOLLOWED = (
    "CREATE TABLE followed (key text PRIMARY KEY, turn bigint NOT NULL, records bigint NOT NULL, wrong bigint NOT NULL)"
)
_LOAD = "SELECT key, turn, records, wrong FROM followed WHERE key = ANY ($1)"
_SAVE = """
INSERT INTO followed SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[])
ON CONFLICT (key) DO UPDATE SET turn = EXCLUDED.turn, records = EXCLUDED.records, wrong = EXCLUDED.wrong
"""


class Follower:
    """Reads totals; keeps per key the last turn, how many records there were, and how many were not the next one."""

    def __init__(self, topic: str, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.topic, self.pool = topic, pool

    async def apply(self, batch: Batch) -> Commit:
        keys = sorted({(record.key or b"").decode() for record in batch.records})
        state = {row["key"]: tuple(row)[1:] for row in await self.pool.fetch(_LOAD, keys)}
        for record in batch.records:
            key, turn = (record.key or b"").decode(), orjson.loads(record.value or b"")["turn"]
            last, records, wrong = state.get(key, (0, 0, 0))
            state[key] = (turn, records + 1, wrong + (turn != last + 1))

        async def save(connection: Connection) -> None:
            await connection.execute(
                _SAVE, keys, *(list(column) for column in zip(*(state[key] for key in keys), strict=True))
            )

        return Commit(save=save)

    async def park(self, record: Record, error: Exception, connection: Connection) -> list[Outgoing]:
        raise error

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None: ...

    def on_revoked(self, partitions: set[int]) -> None: ...


async def main(kafka: str, dsn: str, first: str, second: str, instance: str) -> None:
    async with ledger_pool(dsn, tables=False) as pool:
        loops: list[PartitionLoop] = [
            make_loop(Ledger(first, second, pool), kafka, instance=instance),
            make_loop(Follower(second, pool), kafka, instance=instance),
        ]
        async with asyncio.TaskGroup() as group:
            for loop in loops:
                group.create_task(loop.run())
