"""How far each project's events are copied: all SQL about `event_copy`.

`last_offset` is written in the transaction that moves the checkpoint, `next_offset` once Kafka has the copies; the one never
writes the other's column of a row where something waits, so neither needs to know of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from servicekit.loop.batches import Connection

WANT = """
    INSERT INTO event_copy (project_id, part, next_offset, last_offset)
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[])
    ON CONFLICT (project_id, part) DO UPDATE SET last_offset = excluded.last_offset,
        next_offset = CASE WHEN event_copy.next_offset > event_copy.last_offset THEN excluded.next_offset
            ELSE least(event_copy.next_offset, excluded.next_offset) END
"""
COPIED = """
    UPDATE event_copy SET next_offset = copied.next_offset
      FROM unnest($1::text[], $2::int[], $3::bigint[]) AS copied (project_id, part, next_offset)
     WHERE event_copy.project_id = copied.project_id AND event_copy.part = copied.part
       AND event_copy.next_offset < copied.next_offset AND copied.next_offset <= event_copy.last_offset + 1
"""
WAITING = """
    SELECT project_id, part, next_offset, last_offset FROM event_copy
     WHERE part = ANY($1::int[]) AND next_offset <= last_offset ORDER BY project_id, part
"""
FORGET = "DELETE FROM event_copy WHERE project_id = ANY($1::text[])"


class Span(NamedTuple):
    """Offsets of a partition of events among which a project's are to be copied, both included."""

    project_id: str
    part: int
    next_offset: int
    last_offset: int


async def want(connection: Connection, spans: Iterable[Span]) -> None:
    """These are to be copied, too. What waits already goes on waiting from where it stands."""
    await connection.execute(WANT, *(list(column) for column in zip(*sorted(spans), strict=True)))


async def copied(connection: Connection, places: Iterable[tuple[str, int, int]]) -> None:
    """(project, partition, offset): Kafka has the copies of all below the offset."""
    await connection.execute(COPIED, *(list(column) for column in zip(*sorted(places), strict=True)))


async def waiting(connection: Connection, parts: Collection[int]) -> list[Span]:
    """What is not known to be copied of these partitions."""
    return [Span(*row) for row in await connection.fetch(WAITING, list(parts))]


async def forget(connection: Connection, project_ids: Collection[str]) -> None:
    """These projects have no topics any more."""
    await connection.execute(FORGET, sorted(project_ids))
