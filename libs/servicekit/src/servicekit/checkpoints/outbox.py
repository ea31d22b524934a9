"""The outbox: what a transaction has to say to Kafka, kept with it until Kafka has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from servicekit.database import Connection
from servicekit.kafka.records import Outgoing, pack_outgoing, unpack_outgoing

_ADD = "INSERT INTO outbox (topic, part, name, payload) VALUES ($1, $2, $3, $4)"
_UNSENT = "SELECT name, payload FROM outbox WHERE topic = $1 AND part = $2 ORDER BY position"
_DELETE = """
DELETE FROM outbox o USING unnest($2::int[], $3::text[]) AS d (part, name)
WHERE o.topic = $1 AND o.part = d.part AND o.name = d.name
"""


class Row(NamedTuple):
    """One row: a batch's records for Kafka, in order."""

    name: str
    records: list[Outgoing]


async def add(connection: Connection, topic: str, part: int, name: str, records: list[Outgoing]) -> None:
    """Write a row. Raises asyncpg.UniqueViolationError when the partition has one of that name."""
    await connection.execute(_ADD, topic, part, name, pack_outgoing(records))


async def unsent(connection: Connection, topic: str, part: int) -> list[Row]:
    """The partition's rows, in the order of their commits."""
    return [Row(row["name"], unpack_outgoing(row["payload"])) for row in await connection.fetch(_UNSENT, topic, part)]


async def delete(connection: Connection, topic: str, names: Sequence[tuple[int, str]]) -> None:
    """Delete rows by (partition, name): never "the partition's rows", which may be a successor's."""
    await connection.execute(_DELETE, topic, [part for part, _ in names], [name for _, name in names])
