"""What Kafka has to hear of results, kept in the transaction that ended them until Kafka has it (guarantees.md 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

from dispatcher.store.port import LEFT_AT_ONCE, Unpublished
from dispatcher.store.queues import QueueRows
from servicekit.kafka.records import Outgoing, pack_outgoing, unpack_outgoing

_ADD = "INSERT INTO result_outbox (name, payload) VALUES ($1, $2)"
_DELETE = "DELETE FROM result_outbox WHERE name = ANY ($1::uuid[])"
_LEFT = f"""
WITH found AS (
    SELECT name, created_at FROM result_outbox WHERE created_at < now() - $1::interval
     ORDER BY created_at LIMIT {LEFT_AT_ONCE} FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE result_outbox o SET created_at = now() FROM found WHERE o.name = found.name
    RETURNING o.name, o.payload, found.created_at
)
SELECT name, payload FROM taken ORDER BY created_at
"""


class ResultOutboxRows(QueueRows):
    """The part of a session that is about the result outbox."""

    async def keep_results(self, outgoing: Sequence[Outgoing]) -> UUID:
        name = uuid4()
        await self._connection.execute(_ADD, name, pack_outgoing(list(outgoing)))
        return name

    async def forget_results(self, names: Sequence[UUID]) -> None:
        if names:
            await self._connection.execute(_DELETE, list(names))

    async def unpublished(self, age: timedelta) -> list[Unpublished]:
        rows = await self._connection.fetch(_LEFT, age)
        return [Unpublished(row["name"], unpack_outgoing(row["payload"])) for row in rows]
