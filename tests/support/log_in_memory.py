"""A Kafka broker in memory, as far as servicekit asks one: topics, idempotent producers, groups with static members.

`log_suite` holds it to the real one, through the clients that `simulation.kafka_clients` makes for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka.errors import (
    NotEnoughReplicasError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
    UnknownTopicOrPartitionError,
)

from servicekit.kafka.inside_aiokafka.incarnations import TopicState
from servicekit.kafka.records import Headers, Record

Written = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record that is to be appended."""


@dataclass
class Partition:
    """`records[0]` is at offset `start`."""

    start: int = 0
    records: list[Record] = field(default_factory=list)
    last_of: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Producer -> the number of its last batch, and where that begins."""
    readers: list[Callable[[], None]] = field(default_factory=list)
    """Called once, with the next append."""
    leader_epoch: int = 0

    @property
    def end(self) -> int:
        return self.start + len(self.records)


class LogInMemory:
    """`now_ms` is the broker's clock. `refuses`: topics that take no writes."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms, self._made = now_ms, 0
        self.topics: dict[str, list[Partition]] = {}
        self.ids: dict[str, str] = {}
        """Topic -> the id that it got when it was made."""
        self.refuses: set[str] = set()
        self.on_append: Callable[[Record], None] = lambda record: None
        self.keeps: Callable[[str, Sequence[Written]], Sequence[Written]] = lambda topic, written: written
        """What is there afterwards of a batch that is acknowledged; nothing: all of it is gone, as after `cut_off`."""

    def create(self, topic: str, partitions: int) -> None:
        """An empty topic; one of that name is gone, as if it had been deleted and made anew."""
        self.topics[topic] = [Partition() for _ in range(partitions)]
        self._made += 1
        self.ids[topic] = f"id-{self._made}"

    def delete(self, topic: str) -> None:
        """The topic is gone."""
        del self.topics[topic]

    def expire(self, topic: str, part: int, before: int) -> None:
        """Retention: records before that offset are gone."""
        log = self.part(topic, part)
        before = min(before, log.end)
        if before > log.start:
            del log.records[: before - log.start]
            log.start = before

    def cut_off(self, topic: str, part: int, end: int) -> None:
        """Records from that offset on are gone, as after an election of a replica that lacks them."""
        log = self.part(topic, part)
        del log.records[max(0, end - log.start) :]
        log.last_of.clear()
        log.leader_epoch += 1

    def grow(self, topic: str) -> None:
        """It has one partition more."""
        self.topics[topic].append(Partition())

    def state(self, topic: str) -> TopicState:
        """What the topic is besides its name. Raises UnknownTopicOrPartitionError."""
        self.part(topic, 0)
        return TopicState(self.ids[topic], {at: log.leader_epoch for at, log in enumerate(self.topics[topic])})

    def part(self, topic: str, part: int) -> Partition:
        """Raises UnknownTopicOrPartitionError."""
        partitions = self.topics.get(topic)
        if partitions is None or part >= len(partitions):
            raise UnknownTopicOrPartitionError(f"{topic}/{part}")
        return partitions[part]

    def append(self, topic: str, part: int, written: Sequence[Written], producer: int = 0, number: int = 0) -> int:
        """The offset of the first. A producer's batch that is there already (same `number`) is not written again."""
        if topic in self.refuses:
            raise NotEnoughReplicasError(topic)
        log = self.part(topic, part)
        last, at = log.last_of.get(producer, (-1, 0))
        if producer and number == last:
            return at
        at = log.end
        if not (kept := self.keeps(topic, written)):
            self.cut_off(topic, part, at)
        for key, value, headers in kept:
            record = Record(topic, part, log.end, self._now_ms(), key, value, tuple(headers), log.leader_epoch)
            log.records.append(record)
            self.on_append(record)
        if producer and kept:
            log.last_of[producer] = (number, at)
        readers, log.readers = log.readers, []
        for reader in readers:
            reader()
        return at

    def fetch(self, topic: str, part: int, offset: int, most: int) -> list[Record]:
        """Raises OffsetOutOfRangeError for an offset before the start or behind the end."""
        log = self.part(topic, part)
        if not log.start <= offset <= log.end:
            raise OffsetOutOfRangeError(topic, part)
        first = offset - log.start
        return log.records[first : first + most]


@dataclass(eq=False)
class Member:
    """Of a group. `joining` is answered when everybody has joined."""

    id: str
    instance: str
    session: float
    seen_at: float
    joining: asyncio.Future[Joined] | None = None


Joined = tuple[str, int, list[int]]
"""Member id, generation, and the partitions that are the member's."""


class Group:
    """A consumer group on one topic, eager: for a new generation everybody lets go of everything and joins again.

    A static member (`instance`) that joins again while the group is stable gets what it had, and nobody else notices; it
    leaves only by being silent for its session. `later(seconds, do)` is the coordinator's clock.
    """

    REBALANCE_SECONDS = 10.0

    def __init__(self, partitions: int, now: Callable[[], float], later: Callable[..., None]) -> None:
        self._count, self._now, self._later = partitions, now, later
        self.members: dict[str, Member] = {}
        self.generation, self._made = 0, 0
        self.stable, self._attempt = False, 0
        self.assigned: dict[str, list[int]] = {}

    def join(self, member_id: str, instance: str, session: float) -> Any:
        """Joined, or a future of it."""
        member = self.members.get(member_id) or self._static(instance, session)
        member.seen_at = self._now()
        if self.stable and member.id in self.assigned and member.id != member_id:
            return member.id, self.generation, self.assigned[member.id]
        member.joining = joined = asyncio.get_running_loop().create_future()
        if self.stable or not self._attempt:
            self._begin()
        self._complete_if_all_joined()
        return joined

    def grow(self, partitions: int) -> None:
        """The topic has so many now: they are divided anew."""
        self._count = partitions
        self.divide_anew()

    def divide_anew(self) -> None:
        """As when a member has come or gone: everybody joins again, and may keep what it had."""
        if self.stable:
            self._begin()

    def _static(self, instance: str, session: float) -> Member:
        """A member under a new id, in the place of the one of that instance if there is one."""
        self._made += 1
        made = Member(f"{instance}-{self._made}", instance, session, self._now())
        before = next((each for each in self.members.values() if each.instance == instance), None)
        if before is not None:
            del self.members[before.id]
            if before.id in self.assigned:
                self.assigned[made.id] = self.assigned.pop(before.id)
        self.members[made.id] = made
        self._later(session, self._look_at, made)
        return made

    def heartbeat(self, member_id: str, generation: int) -> None:
        """Raises UnknownMemberIdError for who is none any more, RebalanceInProgressError when it has to join again."""
        member = self.members.get(member_id)
        if member is None or (self.stable and generation != self.generation):
            raise UnknownMemberIdError(member_id)
        member.seen_at = self._now()
        if not self.stable:
            raise RebalanceInProgressError

    def _look_at(self, member: Member) -> None:
        """Whether it has been silent for too long."""
        if self.members.get(member.id) is not member:
            return
        left = member.seen_at + member.session - self._now()
        if left > 0 or member.joining is not None:
            self._later(max(left, 0.1), self._look_at, member)
            return
        del self.members[member.id]
        if self.stable:
            self._begin()
        self._complete_if_all_joined()

    def _begin(self) -> None:
        self.stable, self._attempt = False, self._attempt + 1
        self._later(self.REBALANCE_SECONDS, self._too_long, self._attempt)

    def _too_long(self, attempt: int) -> None:
        """Who has not joined by now is none of the group any more."""
        if self.stable or attempt != self._attempt:
            return
        self.members = {id: member for id, member in self.members.items() if member.joining is not None}
        self._complete_if_all_joined()

    def _complete_if_all_joined(self) -> None:
        members = sorted(self.members.values(), key=lambda member: member.instance)
        if self.stable or not members or any(member.joining is None for member in members):
            return
        self.stable, self.generation = True, self.generation + 1
        self.assigned = {each.id: list(range(self._count))[at :: len(members)] for at, each in enumerate(members)}
        for member in members:
            joining, member.joining, member.seen_at = member.joining, None, self._now()
            if joining is not None and not joining.done():
                joining.set_result((member.id, self.generation, self.assigned[member.id]))
