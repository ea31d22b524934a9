"""All SQL about dead letters that an operator has dealt with.

A letter is known by its place and by its broker's time: in a topic that was made anew another one may lie there.
"""

from __future__ import annotations

from collections.abc import Sequence

from servicekit.loop.batches import Connection

Key = tuple[str, int, int, int]
"""What tells a letter from every other: service, partition, offset and the broker's time in milliseconds."""
KEPT_DAYS = 15
"""One more than the topics keep their records."""
SETTLE = """
    INSERT INTO settled_letter (service, part, record_offset, record_ms, how) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT DO NOTHING
"""
FIND = """
    SELECT place.number, settled_letter.how
      FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) WITH ORDINALITY
           AS place (service, part, record_offset, record_ms, number)
      JOIN settled_letter USING (service, part, record_offset, record_ms)
"""
FORGET_OLD = "DELETE FROM settled_letter WHERE at < now() - make_interval(days => $1)"


async def settle(connection: Connection, key: Key, how: str) -> None:
    """Note that a letter was `released` or `discarded`; what was noted first stays."""
    await connection.execute(SETTLE, *key, how)


async def states(connection: Connection, keys: Sequence[Key]) -> list[str]:
    """For each letter `open`, `released` or `discarded`."""
    found = ["open"] * len(keys)
    rows = await connection.fetch(FIND, *(list(column) for column in zip(*keys, strict=True))) if keys else []
    for row in rows:
        found[row["number"] - 1] = row["how"]
    return found


async def forget_old(connection: Connection) -> None:
    """Forget what Kafka does not have any more."""
    await connection.execute(FORGET_OLD, KEPT_DAYS)
