"""The registry's outbox: records in the order in which the relay publishes them.

Of one key the order is that of its versions, because the row's lock is held when its position is given out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from contracts.model import Model
from contracts.registry import SNAPSHOT_KEY, EntityRecord, Snapshot
from registry.entities import key_of
from servicekit.loop.batches import Connection

CHANNEL = "registry_publication"
"""Postgres channel on which the leader hears that there is something to publish."""
ADD = "INSERT INTO publication (key, value) SELECT * FROM unnest($1::text[], $2::bytea[])"
NEXT = "SELECT position, key, value FROM publication ORDER BY position LIMIT $1"
KEYS = "SELECT DISTINCT key FROM publication"
FORGET = "DELETE FROM publication WHERE position = ANY($1::bigint[])"
GENERATION = "SELECT number FROM generation"
STACK_ID = "SELECT id FROM stack"
COUNTS = "SELECT kind, count(*) AS entities FROM entity WHERE deleted_at IS NULL GROUP BY kind"


class Publication(NamedTuple):
    """A null value ends its key on the topic."""

    position: int
    key: str
    value: bytes | None


async def add(connection: Connection, records: list[tuple[str, bytes | None]]) -> None:
    """Hand records to the relay, which is woken when this transaction commits."""
    await connection.execute(ADD, [key for key, _ in records], [value for _, value in records])
    await connection.execute("SELECT pg_notify($1, '')", CHANNEL)


async def add_record(connection: Connection, record: EntityRecord) -> None:
    await add(connection, [(key_of(record), record.encode())])


async def add_snapshot(connection: Connection) -> None:
    """Tell readers how many entities there are; all that it counts stands before it on the topic."""
    await add(connection, [(SNAPSHOT_KEY, await snapshot(connection))])


async def snapshot(connection: Connection, refused_tokens: Iterable[str] = ()) -> bytes:
    """The marker, with the tokens that are to let nobody in."""
    counts = {row["kind"]: row["entities"] for row in await connection.fetch(COUNTS)}
    stack_id: str | None = await connection.fetchval(STACK_ID)
    refused = tuple(refused_tokens) or None
    marker: Model = Snapshot(
        generation=await generation(connection), counts=counts, stack_id=stack_id, refused_tokens=refused
    )
    return marker.encode()


async def waiting_keys(connection: Connection) -> set[str]:
    """Keys of which the topic does not have the last record yet."""
    return {row["key"] for row in await connection.fetch(KEYS)}


async def next_batch(connection: Connection, limit: int) -> list[Publication]:
    return [Publication(row["position"], row["key"], row["value"]) for row in await connection.fetch(NEXT, limit)]


async def forget(connection: Connection, batch: list[Publication]) -> None:
    """They are on the topic, acknowledged."""
    await connection.execute(FORGET, [publication.position for publication in batch])


async def generation(connection: Connection) -> int:
    """Counts restores of the database: versions are compared as (generation, version)."""
    number: int = await connection.fetchval(GENERATION)
    return number
