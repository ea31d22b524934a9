"""What is assigned to a loop, and what has arrived for it: the side of the loop that faces Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping

import structlog

from servicekit.checkpoints.fence import topic_of
from servicekit.kafka.inside_aiokafka.incarnations import TopicState
from servicekit.kafka.records import Record
from servicekit.loop.batches import Handler
from servicekit.loop.metrics import LoopMetrics
from servicekit.loop.partitions import LogProblem, Partition, Rewritten, State
from servicekit.loop.recovery import Recovery

MAX_WAITING_BYTES = 16 * 1024 * 1024
"""Two batches of the largest size; a fetch may come on top of it (servicekit.kafka.clients.FETCH_BYTES)."""

log = structlog.get_logger()


class Assignment:
    """The assigned partitions. Every one of them begins by being recovered (`RecordSink` of the group reader)."""

    def __init__(
        self, handler: Handler, metrics: LoopMetrics, recovery: Recovery, work: asyncio.Event, max_waiting: int
    ) -> None:
        """`work` is set when records have arrived; no more than `max_waiting` of them, or MAX_WAITING_BYTES,
        are kept."""
        self.partitions: dict[int, Partition] = {}
        self.changed = asyncio.Event()
        """Set whenever a partition's state may have changed."""
        self._handler, self._metrics, self._recovery = handler, metrics, recovery
        self._work, self._max_waiting = work, max_waiting
        self._first = 0
        self._idle: dict[int, asyncio.Event] = {}
        """Partition.idle of each partition that was ever ours."""

    def in_turn(self) -> Iterator[Partition]:
        """All partitions, each time beginning with another one, so that a busy one does not starve the others."""
        parts = list(self.partitions.values())
        self._first = (self._first + 1) % max(len(parts), 1)
        yield from parts[self._first :]
        yield from parts[: self._first]

    def recover(self, part: Partition, cause: str) -> None:
        """Begin its recovery. Does nothing for a partition that is gone, in recovery already, or stopped."""
        if self.partitions.get(part.number) is not part or part.state is not State.READY:
            return
        part.again()
        self._forget({part.number})
        self._metrics.recovered(cause)
        self._recovery.start(part)
        self.changed.set()

    def problem(self) -> str | None:
        """The sentence of a stopped partition, None when there is none."""
        return next((part.problem for part in self.partitions.values() if part.problem is not None), None)

    def unacknowledged(self) -> int:
        """Outbox rows that Kafka has not acknowledged."""
        return sum(part.hold.unacknowledged for part in self.partitions.values() if part.hold is not None)

    def fenced_seconds(self) -> float:
        """How long the partition that was fenced first has waited for an assignment."""
        since = [part.fenced_at for part in self.partitions.values() if part.state is State.FENCED]
        return time.monotonic() - min(since) if since else 0.0

    def take_on(self, partitions: set[int], topic: str) -> None:
        """A new generation: these are ours now."""
        self.let_go()
        self.partitions = {number: Partition(topic, number, self._idle.get(number)) for number in sorted(partitions)}
        self._idle |= {number: part.idle for number, part in self.partitions.items()}
        for part in self.partitions.values():
            self._metrics.recovered("assignment")
            self._recovery.start(part)
        self.changed.set()

    def let_go(self) -> None:
        """Nothing is ours any more."""
        gone, self.partitions = self.partitions, {}
        for number, part in gone.items():
            self._recovery.cancel(number)
            part.fence()
        if gone:
            self._forget(set(gone))
        self.changed.set()

    def receive(self, number: int, records: list[Record]) -> int | None:
        """Take records in. Returns the offset to fetch from instead, when these are not the ones that come next."""
        part = self.partitions.get(number)
        if part is None or part.state is not State.READY:
            return None
        try:
            again = part.receive(records)
        except Rewritten:
            self.recover(part, "rewritten")
            return None
        except LogProblem as problem:
            self._stop(part, str(problem))
            return None
        self._work.set()
        return again

    def out_of_range(self, partitions: set[int]) -> None:
        """Kafka has nothing at their positions: recovery finds out why."""
        for number in partitions & set(self.partitions):
            self.recover(self.partitions[number], "out_of_range")

    def topic_is(self, state: TopicState) -> Mapping[int, int]:
        """What Kafka says of the topic now. Returns partition -> offset, of those to be fetched from there instead."""
        again: dict[int, int] = {}
        for number, part in self.partitions.items():
            if part.state is not State.READY or part.hold is None:
                continue
            if None not in (state.incarnation, known := topic_of(part.hold.incarnation)) and state.incarnation != known:
                self.recover(part, "other_log")
            elif (offset := part.led(state.leader_epochs.get(number, -1))) is not None:
                again[number] = offset
        return again

    def has_room(self) -> bool:
        """Whether more records may wait."""
        parts = self.partitions.values()
        return (
            sum(part.waiting for part in parts) < self._max_waiting
            and sum(part.waiting_bytes for part in parts) < MAX_WAITING_BYTES
        )

    def waited(self) -> float:
        """For how long the record has waited that came first, seconds."""
        since = [part.since for part in self.partitions.values() if part.since is not None]
        return time.monotonic() - min(since) if since else 0.0

    def expecting(self) -> Mapping[int, int]:
        """Partition -> next offset from Kafka, of those that are read."""
        return {number: part.position for number, part in self.partitions.items() if part.state is State.READY}

    def _stop(self, part: Partition, problem: str) -> None:
        if part.problem != problem:
            log.error("partition.stopped", topic=part.topic, partition=part.number, problem=problem)
        part.stop(problem)
        self._forget({part.number})
        self._recovery.start(part)
        self.changed.set()

    def _forget(self, partitions: set[int]) -> None:
        try:
            self._handler.on_revoked(partitions)
        except Exception:
            log.exception("handler.on_revoked_failed", partitions=sorted(partitions))
