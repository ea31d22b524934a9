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

from servicekit.columns import array
from servicekit.database import Connection
from servicekit.failpoints import broken
from servicekit.kafka.records import Source

Mark = tuple[Any, ...]
"""(offset, ordinal) of the highest source applied, then the incarnation of its topic where that is known, then the same
three of the incarnation before: (9, 0), (9, 0, "new") or (9, 0, "new", 640, 2, "old"). A release that knows no
incarnations reads the first two and writes no more."""
Seen = dict[str, Mark]
"""`topic/partition` of a source -> its mark (guarantees.md 2.5)."""

_BUMP = """
UPDATE checkpoint SET epoch = epoch + 1, owner = $3
WHERE topic = $1 AND part = $2 AND ($4::uuid[] IS NULL OR owner = ANY ($4))
RETURNING next_offset, epoch, owner, last_id, partitions, seen, incarnation
"""
_CREATE = """
INSERT INTO checkpoint AS c (topic, part, owner, next_offset, epoch, partitions, incarnation)
VALUES ($1, $2, $3, $4, 1, $5, $6)
ON CONFLICT (topic, part) DO UPDATE SET epoch = c.epoch + 1, owner = $3
RETURNING next_offset, epoch, owner, last_id, partitions, seen, incarnation
"""
_OTHER_COUNT = "SELECT partitions FROM checkpoint WHERE topic = $1 AND partitions <> $2 LIMIT 1"
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
    UPDATE checkpoint c SET next_offset = {next_offset}, last_id = {last_id}, seen = coalesce(u.seen::jsonb, c.seen),
        incarnation = coalesce(u.incarnation, c.incarnation)
    FROM unnest($2::int[], $3::bigint[], $4::bigint[], $5::bigint[], $6::uuid[], $7::text[], $8::text[], $14::text[])
        AS u (part, old, new, epoch, owner, last_id, seen, incarnation)
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
    incarnation: str | None = None
    """The id of the topic that all this is about, None while it is not known."""
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


async def create(
    connection: Connection,
    topic: str,
    part: int,
    owner: UUID,
    *,
    start: int,
    partitions: int,
    incarnation: str | None = None,
) -> Hold:
    """The first hold on a partition, beginning at offset `start`; a bump when somebody else was quicker."""
    row = await connection.fetchrow(_CREATE, topic, part, owner, start, partitions, incarnation)
    assert row is not None
    return _hold(part, row)


async def renew(connection: Connection, topic: str) -> None:
    """Have every partition taken over again by who holds it: what it has computed and not committed is not saved.

    First in its transaction; what that writes beside is seen by whoever reads it after taking a partition over.
    """
    await connection.execute("LOCK TABLE checkpoint IN SHARE ROW EXCLUSIVE MODE")
    await connection.execute("UPDATE checkpoint SET epoch = epoch + 1 WHERE topic = $1", topic)


async def other_count(connection: Connection, topic: str, partitions: int) -> int | None:
    """How many partitions the topic had when another one of them was begun, None when that was as many."""
    found: int | None = await connection.fetchval(_OTHER_COUNT, topic, partitions)
    return found


def _hold(part: int, row: Any) -> Hold:
    seen = {source: tuple(mark) for source, mark in orjson.loads(row["seen"]).items()}
    about = (row["next_offset"], row["last_id"], row["partitions"], seen, row["incarnation"])
    return Hold(part, row["epoch"], row["owner"], *about)


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
        array([move.hold.part for move in moves]),
        array([move.old for move in moves]),
        array([move.new for move in moves]),
        array([move.hold.epoch for move in moves]),
        array([move.hold.owner for move in moves]),
        array([move.last_id for move in moves]),
        array([None if move.seen is None else orjson.dumps(move.seen).decode() for move in moves]),
        array([move.hold.part for move in rows]),
        array([move.name for move in rows]),
        array([move.payload for move in rows]),
        array([part for part, _ in published]),
        array([name for _, name in published]),
        array([move.hold.incarnation for move in moves]),
    )
    return {row["part"] for row in moved}


async def lock(connection: Connection, topic: str, hold: Hold) -> bool:
    """Inside a transaction: whether the hold is still good, and see to it that it stays so until the commit."""
    statement = _LOCK_BROKEN if broken("fence") else _LOCK
    return await connection.fetchval(statement, topic, hold.part, hold.epoch, hold.owner) is not None


def is_repeat(seen: Seen, source: Source) -> bool:
    """Whether that effect, or a later one of the same source partition, was applied already (guarantees.md 2.5)."""
    mark = seen.get(f"{source.topic}/{source.partition}")
    if mark is None or broken("dedupe"):
        return False
    if _incarnation(mark) != source.incarnation:
        mark = mark[3:]
        if not mark or _incarnation(mark) != source.incarnation:
            return False
    return (source.offset, source.ordinal) <= mark[:2]


def note(seen: Seen, source: Source) -> None:
    """The source is applied. What is known of the incarnation before is kept: its last records may come once more."""
    key = f"{source.topic}/{source.partition}"
    mark, now = seen.get(key, ()), (source.offset, source.ordinal, source.incarnation)
    former = mark[3:] if not mark or _incarnation(mark) == source.incarnation else (*mark[:2], _incarnation(mark))
    seen[key] = (*now, *former) if former or source.incarnation is not None else now[:2]


def topic_of(incarnation: str | None) -> str | None:
    """The topic's id in a log's incarnation. A log whose end was lost has `~` and a number behind it from its repair on: its
    offsets are given again, and what has them now is no repeat of what had them before."""
    return None if incarnation is None else incarnation.partition("~")[0]


def learnt(known: str | None, topic: str | None) -> str | None:
    """The incarnation to go on with where Kafka says this of the topic's id (None: nothing)."""
    return known if topic is None or topic == topic_of(known) else topic


def _incarnation(mark: Mark) -> str | None:
    return mark[2] if len(mark) > 2 else None
