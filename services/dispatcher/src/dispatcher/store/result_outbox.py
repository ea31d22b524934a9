"""What Kafka has to hear of results, kept in the transaction that ended them until Kafka has it (guarantees.md 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

from servicekit.kafka.records import Outgoing, pack_outgoing, unpack_outgoing
from servicekit.loop.batches import Connection

_ADD = "INSERT INTO result_outbox (name, payload) VALUES ($1, $2)"
_DELETE = "DELETE FROM result_outbox WHERE name = ANY ($1::uuid[])"
_LEFT = """
SELECT name, payload FROM result_outbox WHERE created_at < now() - $1::text::interval ORDER BY created_at LIMIT 50
"""


async def add(connection: Connection, outgoing: Sequence[Outgoing]) -> UUID:
    """Write a row; its name."""
    name = uuid4()
    await connection.execute(_ADD, name, pack_outgoing(list(outgoing)))
    return name


async def delete(connection: Connection, names: Sequence[UUID]) -> None:
    """Kafka has these rows' records."""
    if names:
        await connection.execute(_DELETE, list(names))


async def left(connection: Connection, age: str) -> list[tuple[UUID, list[Outgoing]]]:
    """Rows older than `age` (an interval as Postgres writes it), the oldest first."""
    rows = await connection.fetch(_LEFT, age)
    return [(row["name"], unpack_outgoing(row["payload"])) for row in rows]
