"""The fence: only who holds a partition's epoch may write for it, and only from where the last write ended.

An epoch is a counter and a random owner id (after a failover that lost a second the counter may come again, the id does
not). It is only ever got by bumping, in a statement of its own that is committed before anything else is read: read in
one statement, the outbox would be seen as of before the wait for the previous owner's lock (guarantees.md 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from servicekit.database import Connection
from servicekit.failpoints import broken
from servicekit.kafka.records import Source

Seen = dict[str, tuple[int, int]]
"""`topic/partition` of a source -> the highest (offset, ordinal) whose effect was applied: the marks (guarantees.md 2.5)."""

_BUMP = """
UPDATE checkpoint SET epoch = epoch + 1, owner = $3
WHERE topic = $1 AND part = $2 AND ($4::uuid[] IS NULL OR owner = ANY ($4))
RETURNING next_offset, epoch, owner, last_id, partitions, seen
"""
_CREATE = """
INSERT INTO checkpoint AS c (topic, part, owner, next_offset, epoch, partitions) VALUES ($1, $2, $3, $4, 1, $5)
ON CONFLICT (topic, part) DO UPDATE SET epoch = c.epoch + 1, owner = $3
RETURNING next_offset, epoch, owner, last_id, partitions, seen
"""
_HOLDS = "c.next_offset = u.old AND c.epoch = u.epoch AND c.owner = u.owner"
_FENCED = {"holds": _HOLDS, "next_offset": "u.new", "last_id": "u.last_id"}
_BROKEN = {
    "holds": "true",
    "next_offset": "greatest(c.next_offset, u.new)",
    "last_id": "CASE WHEN u.new > c.next_offset THEN u.last_id ELSE c.last_id END",
}
"""Without the fence: who comes late writes all the same. The position never goes back, or else what was overwritten would be
applied again, and the harm would not show."""
_ADVANCE = """
WITH moved AS (
    UPDATE checkpoint c SET next_offset = {next_offset}, last_id = {last_id}, seen = coalesce(u.seen::jsonb, c.seen)
    FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::text[], $8::text[])
        AS u (part, old, new, epoch, owner, last_id, seen)
    WHERE c.topic = $1 AND c.part = u.part AND {holds}
    RETURNING c.part
), written AS (
    INSERT INTO outbox (topic, part, name, payload)
    SELECT $1, part, name, payload FROM unnest($9::int[], $10::text[], $11::bytea[]) AS n (part, name, payload)
), gone AS (
    DELETE FROM outbox o USING unnest($12::int[], $13::text[]) AS d (part, name)
    WHERE o.topic = $1 AND o.part = d.part AND o.name = d.name
)
SELECT part FROM moved
"""
_LOCK = """
SELECT true FROM checkpoint c WHERE topic = $1 AND part = $2 AND epoch = $3 AND owner = $4 FOR NO KEY UPDATE
"""
_LOCK_BROKEN = "SELECT true WHERE $1::text IS NOT NULL AND $2::int >= 0 AND $3::bigint > 0 AND $4::uuid IS NOT NULL"


@dataclass(slots=True)
class Hold:
    """This process's hold on a partition, and the checkpoint as far as this process has moved it."""

    part: int
    epoch: int
    owner: UUID
    next_offset: int
    last_id: str | None
    partitions: int
    seen: Seen = field(default_factory=dict)
    stored: int = field(init=False)
    """`next_offset` as the database has it: behind by what had no effect and is not saved yet."""
    unacknowledged: int = 0
    """Batches committed under this hold that Kafka has not acknowledged."""

    def __post_init__(self) -> None:
        self.stored = self.next_offset


@dataclass(frozen=True, slots=True)
class CheckpointMove:
    """How a batch moves one partition's checkpoint. `payload` is its outbox row, None when it writes nothing."""

    hold: Hold
    old: int
    new: int
    last_id: str | None
    seen: Seen | None
    payload: bytes | None

    @property
    def name(self) -> str:
        """Name of the outbox row: the batch's first offset."""
        return str(self.old)


async def bump(
    connection: Connection, topic: str, part: int, owner: UUID, *, predecessors: Sequence[UUID] | None
) -> Hold | None:
    """Raise the epoch and become its owner. None when there is no checkpoint, or not one of `predecessors` holds it.

    `predecessors` None: whoever holds it (after an assignment). Must not run inside a transaction.
    """
    row = await connection.fetchrow(_BUMP, topic, part, owner, predecessors)
    return None if row is None else _hold(part, row)


async def create(connection: Connection, topic: str, part: int, owner: UUID, *, start: int, partitions: int) -> Hold:
    """The first hold on a partition, beginning at offset `start`; a bump when somebody else was quicker."""
    row = await connection.fetchrow(_CREATE, topic, part, owner, start, partitions)
    assert row is not None
    return _hold(part, row)


def _hold(part: int, row: Any) -> Hold:
    seen = {source: (at[0], at[1]) for source, at in orjson.loads(row["seen"]).items()}
    return Hold(part, row["epoch"], row["owner"], row["next_offset"], row["last_id"], row["partitions"], seen)


async def advance(
    connection: Connection, topic: str, moves: Sequence[CheckpointMove], published: Sequence[tuple[int, str]]
) -> set[int]:
    """Move the checkpoints, add the outbox rows, delete those that Kafka acknowledged; one statement.

    Returns the partitions that moved. Unless these are all, this process is fenced off from the rest: roll back.
    """
    statement = _ADVANCE.format(**_BROKEN if broken("fence") else _FENCED)
    rows = [move for move in moves if move.payload is not None]
    moved = await connection.fetch(
        statement,
        topic,
        [move.hold.part for move in moves],
        [move.old for move in moves],
        [move.new for move in moves],
        [move.hold.epoch for move in moves],
        [move.hold.owner for move in moves],
        [move.last_id for move in moves],
        [None if move.seen is None else orjson.dumps(move.seen).decode() for move in moves],
        [move.hold.part for move in rows],
        [move.name for move in rows],
        [move.payload for move in rows],
        [part for part, _ in published],
        [name for _, name in published],
    )
    return {row["part"] for row in moved}


async def lock(connection: Connection, topic: str, hold: Hold) -> bool:
    """Inside a transaction: whether the hold is still good, and see to it that it stays so until the commit."""
    statement = _LOCK_BROKEN if broken("fence") else _LOCK
    return await connection.fetchval(statement, topic, hold.part, hold.epoch, hold.owner) is not None


def is_repeat(seen: Seen, source: Source) -> bool:
    """Whether that effect, or a later one of the same source partition, was applied already (guarantees.md 2.5)."""
    if broken("dedupe"):
        return False
    return (source.offset, source.ordinal) <= seen.get(f"{source.topic}/{source.partition}", (-1, -1))
