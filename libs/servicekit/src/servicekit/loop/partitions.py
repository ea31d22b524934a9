"""One partition as the loop sees it: what has arrived, what may be taken, what is known to be wrong. No I/O."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from enum import Enum
from uuid import UUID

from servicekit.checkpoints.fence import Hold
from servicekit.kafka.records import Record, record_id

MAX_UNACKNOWLEDGED = 4
"""Batches of a partition that may be committed and not yet acknowledged by Kafka (guarantees.md 2.3)."""
TRIES, PARK_TRIES = 3, 6
"""How often a record is applied, and applied or noted, until it is dead-lettered without either."""
FIRST_DELAY, LONGEST_DELAY = 0.1, 5.0


class State(Enum):
    """`FENCED`: another process holds it, wait for the next assignment. `STOPPED`: an operator has to decide."""

    RECOVERING = "recovering"
    READY = "ready"
    FENCED = "fenced"
    STOPPED = "stopped"


class LogProblem(Exception):
    """The log is not the one that the checkpoint is about, or has lost what comes next. The sentence is for operators."""


class Rewritten(Exception):
    """What was received last is not in the log any more. Recovery tells whether anything that was applied is gone, too."""


class Partition:
    """An assigned partition, from one assignment to the next."""

    def __init__(self, topic: str, number: int, idle: asyncio.Event | None = None) -> None:
        """`idle`: of the assignment before, of which a batch may still be in hand."""
        self.topic, self.number = topic, number
        self.state = State.RECOVERING
        self.hold: Hold | None = None
        self.taken = asyncio.Event()
        """Set while `hold` is good as far as this process knows, and also once it never will be."""
        self.owners: list[UUID] = []
        """Owner ids under which this process has bumped the epoch, or may have."""
        self.held_before = False
        """Whether this assignment has had a hold: from then on only one's own may be bumped (recovery.py)."""
        self.position = 0
        """The next offset expected from Kafka."""
        self.problem: str | None = None
        self.fenced_at = 0.0
        self.more = False
        """A row came into the outbox while recovery was emptying it."""
        self.idle = idle or _set()
        """Set unless records of it are being applied, or its position saved, under whichever hold."""
        self.holes = 0
        self.delay = 0.0
        self.alone_until = -1
        """Records up to this offset are applied one by one: some batch with them failed."""
        self.tries = 0
        self.error: Exception | None = None
        self._check: str | None = None
        """The identity that the record at `position` has to have."""
        self._looks_back = False
        """The check is of what was received last, not of what the checkpoint names."""
        self._last: Record | None = None
        self._epoch, self._new_epoch = -1, -1
        """The newest leader epoch under which the log is known to hold what was received, and the one to be known next."""
        self._gap: tuple[int, int] | None = None
        self._buffer: list[Record] = []
        self._came: deque[tuple[int, float]] = deque()
        """The last offset of each portion that waits, and when it came."""
        self.waiting_bytes = 0
        """Of the records that wait."""

    @property
    def in_hand(self) -> bool:
        """Whether a batch, of this assignment or the one before, is not done with it."""
        return not self.idle.is_set()

    @property
    def waiting(self) -> int:
        """Records that have arrived and are not applied."""
        return len(self._buffer)

    @property
    def since(self) -> float | None:
        """When the first of these arrived, by the monotonic clock."""
        return self._came[0][1] if self._came else None

    def clear(self) -> None:
        """Forget what has arrived."""
        self._buffer, self._gap, self.waiting_bytes = [], None, 0
        self._came.clear()
        self._last, self._epoch, self._looks_back = None, -1, False

    def begin(self, hold: Hold, log_start: int) -> int:
        """Ready to receive; returns the offset to fetch from.

        That is one before the checkpoint, where the record before it should still be: it must be the one we applied.
        """
        self.clear()
        verify = hold.last_id is not None and hold.next_offset > log_start
        self.state, self.hold = State.READY, hold
        if not verify:
            self.problem = None
        self._check = hold.last_id if verify else None
        self.position = hold.next_offset - verify
        return self.position

    def receive(self, records: Sequence[Record]) -> int | None:
        """Take in what Kafka sent. Returns an offset when the rest must be fetched again from there, else None.

        A record that is not at the expected offset may be left from before a seek; the same gap after a fresh fetch is
        real (transaction markers) and is passed over. What was written under another leader may follow on something else
        than what was received before: that is fetched once more. Raises LogProblem when it is another log, Rewritten when
        the log has lost what was received.
        """
        first = records[0].offset
        if first != self.position and not self._gap_is_real(first):
            return self.position
        if self._check is not None:
            self._verify(records[0])
            records = records[1:]
        elif self._is_of_other_leader(records[0]):
            return self._look_back(records[0].leader_epoch)
        return self._take_in(records)

    def led(self, leader_epoch: int) -> int | None:
        """The partition's present leader leads since `leader_epoch`. Returns an offset to fetch from as `receive` does."""
        if self._check is not None or leader_epoch <= self._epoch:
            return None
        if self._last is None:
            self._epoch = leader_epoch
            return None
        return self._look_back(leader_epoch)

    def _is_of_other_leader(self, record: Record) -> bool:
        """An epoch that is lower than one before it is of another log altogether."""
        if self._last is None or record.leader_epoch < 0:
            return False
        return record.leader_epoch > self._epoch or record.leader_epoch < self._last.leader_epoch

    def _look_back(self, leader_epoch: int) -> int:
        assert self._last is not None
        self._check, self._looks_back, self._new_epoch = record_id(self._last), True, leader_epoch
        self.position, self._gap = self._last.offset, None
        return self.position

    def _take_in(self, records: Sequence[Record]) -> int | None:
        whole = _contiguous(records)
        self._buffer.extend(records[:whole])
        self.waiting_bytes += size_of(records[:whole])
        if whole:
            self._last = records[whole - 1]
            self._epoch = max(self._epoch, self._last.leader_epoch)
            self.position = self._last.offset + 1
            self._came.append((self._last.offset, time.monotonic()))
        if whole == len(records):
            return None
        self._gap = (self.position, records[whole].offset)
        return self.position

    def _gap_is_real(self, first: int) -> bool:
        gap = (self.position, first)
        if first < self.position or self._gap != gap:
            self._gap = gap
            return False
        self.holes += first - self.position
        if self._check is None:
            self.position = first
        return True

    def _verify(self, record: Record) -> None:
        """Raise unless the record is the one that was applied, or received, from there (guarantees.md 2.9)."""
        if record.offset != self.position or record_id(record) != self._check:
            if self._looks_back:
                raise Rewritten
            raise LogProblem(
                f"{self.topic}/{self.number}: offset {self.position} does not hold the record that was applied from"
                " there: the topic was recreated, or this database belongs to another cluster"
            )
        self._check, self.problem, self._last = None, None, record
        self._epoch = max(self._epoch, record.leader_epoch, self._new_epoch if self._looks_back else -1)
        self._looks_back = False
        self.position += 1

    def peek(self, room: int, room_bytes: int) -> list[Record]:
        """The next records to apply, at most so many; the first one whatever its size. One, if it has to go alone."""
        if self._buffer[0].offset <= self.alone_until:
            return self._buffer[:1]
        taken = self._buffer[:room]
        if self.waiting_bytes <= room_bytes:
            return taken
        size = 0
        for count, record in enumerate(taken):
            size += size_of([record])
            if size > room_bytes and count:
                return taken[:count]
        return taken

    def size_of_first(self, count: int) -> int:
        """Bytes of the next records, so many of those that wait."""
        return self.waiting_bytes if count == len(self._buffer) else size_of(self._buffer[:count])

    def drop(self, count: int) -> None:
        """The first `count` records are applied."""
        self.waiting_bytes -= self.size_of_first(count)
        applied = self._buffer[count - 1].offset
        del self._buffer[:count]
        while self._came and self._came[0][0] <= applied:
            self._came.popleft()
        self.delay, self.tries, self.error = 0.0, 0, None

    def may_take(self) -> bool:
        """Whether there is something to apply and it may be applied now."""
        return (
            self.state is State.READY
            and not self.in_hand
            and self.waiting > 0
            and self.hold is not None
            and self.hold.unacknowledged < MAX_UNACKNOWLEDGED
        )

    def passed_over(self) -> bool:
        """Whether the checkpoint may now follow records that had no effect."""
        hold = self.hold
        return self.state is State.READY and not self.in_hand and hold is not None and hold.stored < hold.next_offset

    def lag(self, end: int | None) -> int:
        """Records between the checkpoint and the log's end, 0 when either is unknown."""
        return max(0, end - self.hold.next_offset) if self.hold is not None and end is not None else 0

    def failed(self, last: int, error: Exception, *, alone: bool, held: bool = False) -> None:
        """A batch with records up to `last` failed; `held`: it was the infrastructure, and nobody's fault."""
        if held or self.tries >= TRIES:
            self.wait_longer()
        if held:
            return
        self.alone_until, self.error = max(self.alone_until, last), error
        self.tries += alone

    def wait_longer(self) -> None:
        """Double the delay before the next recovery."""
        self.delay = min(LONGEST_DELAY, max(FIRST_DELAY, self.delay * 2))

    def again(self) -> None:
        """Recovery begins anew: nothing that is known here is good any more."""
        self.state, self.hold = State.RECOVERING, None
        self.taken.clear()
        self.clear()

    def stop(self, problem: str) -> None:
        """Nothing more happens here until an operator decided."""
        self.state, self.problem = State.STOPPED, problem
        self.taken.set()
        self.clear()

    def fence(self) -> None:
        """Another process holds the partition."""
        self.state, self.fenced_at, self.hold = State.FENCED, time.monotonic(), None
        self.taken.set()
        self.clear()


def size_of(records: Sequence[Record]) -> int:
    """Bytes that the records hold, their headers left out."""
    return sum([len(record.value or b"") + len(record.key or b"") for record in records])


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


def _contiguous(records: Sequence[Record]) -> int:
    """How many of these records follow each other without a gap."""
    if not records or records[-1].offset - records[0].offset == len(records) - 1:
        return len(records)
    expected = records[0].offset
    for count, record in enumerate(records):
        if record.offset != expected + count:
            return count
    return len(records)
