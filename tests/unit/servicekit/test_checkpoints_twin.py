"""The twin in memory does what the statements of servicekit.checkpoints do, so that the simulation may stand on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import pytest

from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.outbox import Row
from servicekit.kafka.records import Outgoing
from support.checkpoints_in_memory import CheckpointsInMemory
from support.checkpoints_suite import PART, TOPIC, CheckpointsSuite


class InMemory:
    def __init__(self) -> None:
        self._twin = CheckpointsInMemory()

    async def bump(self, owner: UUID, predecessors: Sequence[UUID] | None) -> Hold | None:
        return self._twin.bump(TOPIC, PART, owner, predecessors)

    async def create(self, owner: UUID, start: int, incarnation: str | None = None) -> Hold:
        return self._twin.create(TOPIC, PART, owner, start, 3, incarnation)

    async def other_count(self, partitions: int) -> int | None:
        return self._twin.other_count(TOPIC, partitions)

    async def advance(
        self, move: CheckpointMove, published: Sequence[tuple[int, str]] = (), *, keep: bool = True
    ) -> set[int]:
        commits: list[Callable[[], None]] = []
        moved = self._twin.advance(TOPIC, [move], published, commits.append)
        for commit in commits if keep else ():
            commit()
        return moved

    async def lock(self, hold: Hold) -> bool:
        return self._twin.lock(TOPIC, hold)

    async def add(self, name: str, records: list[Outgoing]) -> None:
        self._twin.add(TOPIC, PART, name, records)

    async def unsent(self) -> list[Row]:
        return self._twin.unsent(TOPIC, PART)

    async def delete(self, name: str) -> None:
        self._twin.delete(TOPIC, [(PART, name)])


class TestTwin(CheckpointsSuite):
    @pytest.fixture
    def tables(self) -> InMemory:
        return InMemory()
