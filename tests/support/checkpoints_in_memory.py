"""The twin of servicekit.checkpoints' tables: what its statements do, over dicts. Held to them by `checkpoints_suite`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from servicekit.checkpoints.fence import CheckpointMove, Hold, Seen
from servicekit.checkpoints.outbox import Row
from servicekit.failpoints import broken
from servicekit.kafka.records import Outgoing, pack_outgoing, unpack_outgoing

Place = tuple[str, int]
"""A topic and its partition."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A row of `checkpoint`."""

    next_offset: int
    epoch: int
    owner: UUID
    last_id: str | None
    partitions: int
    seen: Seen
    incarnation: str | None = None

    def hold(self, part: int) -> Hold:
        about = (self.next_offset, self.last_id, self.partitions, dict(self.seen), self.incarnation)
        return Hold(part, self.epoch, self.owner, *about)


@dataclass
class CheckpointsInMemory:
    """The tables of one service. Each method is a statement; what a transaction changes is changed by `later`, at its commit."""

    rows: dict[Place, Checkpoint] = field(default_factory=dict)
    outbox: dict[tuple[str, int, str], bytes] = field(default_factory=dict)
    """In the order of their commits."""

    def bump(self, topic: str, part: int, owner: UUID, predecessors: Sequence[UUID] | None) -> Hold | None:
        row = self.rows.get((topic, part))
        if row is None or (predecessors is not None and row.owner not in predecessors):
            return None
        self.rows[topic, part] = row = replace(row, epoch=row.epoch + 1, owner=owner)
        return row.hold(part)

    def create(
        self, topic: str, part: int, owner: UUID, start: int, partitions: int, incarnation: str | None = None
    ) -> Hold:
        row = self.rows.get((topic, part))
        new = Checkpoint(start, 1, owner, None, partitions, {}, incarnation)
        made = new if row is None else replace(row, epoch=row.epoch + 1)
        self.rows[topic, part] = row = replace(made, owner=owner)
        return row.hold(part)

    def other_count(self, topic: str, partitions: int) -> int | None:
        counts = (row.partitions for (of, _), row in self.rows.items() if of == topic)
        return next((count for count in counts if count != partitions), None)

    def advance(
        self,
        topic: str,
        moves: Sequence[CheckpointMove],
        published: Sequence[tuple[int, str]],
        later: Callable[[Callable[[], None]], None],
    ) -> set[int]:
        moved = {move.hold.part for move in moves if self._holds(topic, move)}

        def commit() -> None:
            for part, name in published:
                self.outbox.pop((topic, part, name), None)
            for move in moves:
                if move.hold.part in moved:
                    self._move(topic, move)
                if move.payload is not None:
                    self.outbox[topic, move.hold.part, move.name] = move.payload

        later(commit)
        return moved

    def _holds(self, topic: str, move: CheckpointMove) -> bool:
        row, hold = self.rows.get((topic, move.hold.part)), move.hold
        if row is None:
            return False
        return broken("fence") or (row.next_offset, row.epoch, row.owner) == (move.old, hold.epoch, hold.owner)

    def _move(self, topic: str, move: CheckpointMove) -> None:
        row = self.rows[topic, move.hold.part]
        seen = row.seen if move.seen is None else dict(move.seen)
        behind = broken("fence") and move.new <= row.next_offset
        at = (row.next_offset, row.last_id) if behind else (move.new, move.last_id)
        incarnation = move.hold.incarnation or row.incarnation
        self.rows[topic, move.hold.part] = replace(
            row, next_offset=at[0], last_id=at[1], seen=seen, incarnation=incarnation
        )

    def lock(self, topic: str, hold: Hold) -> bool:
        row = self.rows.get((topic, hold.part))
        return broken("fence") or (row is not None and (row.epoch, row.owner) == (hold.epoch, hold.owner))

    def taken(self, topic: str, part: int, name: str) -> bool:
        """Whether the outbox has a row of that name."""
        return (topic, part, name) in self.outbox

    def add(self, topic: str, part: int, name: str, records: list[Outgoing]) -> None:
        self.outbox[topic, part, name] = pack_outgoing(records)

    def unsent(self, topic: str, part: int) -> list[Row]:
        ours = [(key[2], payload) for key, payload in self.outbox.items() if key[:2] == (topic, part)]
        return [Row(name, unpack_outgoing(payload)) for name, payload in ours]

    def delete(self, topic: str, names: Sequence[tuple[int, str]]) -> None:
        for part, name in names:
            self.outbox.pop((topic, part, name), None)
