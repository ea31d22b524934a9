"""What Kafka is told of how far a loop's database is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from servicekit.checkpoints.fence import Hold
from servicekit.kafka.committed import Committed
from servicekit.loop.database_age import WentBack
from servicekit.loop.partitions import LogProblem, Partition
from servicekit.loop.upkeep import Upkeep

LOG = "id-1"


class Age:
    """A database that stands at 12 when it is asked again, and at 7 before."""

    number = 3

    def __init__(self, *, went_back: bool = False) -> None:
        self._at, self._went_back = 7, went_back

    async def look(self) -> None:
        if self._went_back:
            raise WentBack("the database is older")
        self._at = 12

    def said(self, partition: int) -> Committed | None:
        return Committed(self._at, LOG)


class Told:
    """The reader, as far as it tells Kafka."""

    def __init__(self) -> None:
        self.positions: dict[int, Committed] = {}

    async def commit(self, positions: dict[int, Committed]) -> bool:
        self.positions |= positions
        return True


def ready(stored: int) -> Partition:
    partition = Partition("in", 0)
    partition.begin(Hold(0, 1, uuid4(), stored, None, 1, {}, LOG), 0)
    return partition


def in_recovery() -> Partition:
    partition = ready(5)
    partition.again()
    return partition


def stopped() -> Partition:
    partition = in_recovery()
    partition.stop(str(LogProblem("it is another log")))
    return partition


def upkeep(partition: Partition, told: Told, age: Age) -> Upkeep:
    anything: Any = None
    of: Any = SimpleNamespace(partitions={0: partition})
    reader: Any = told
    database: Any = age
    return Upkeep("in", reader, of, anything, anything, database, session_timeout=1.0)


@pytest.mark.parametrize(
    ("partition", "now", "at_the_end"),
    [(ready(9), 9, 12), (ready(15), 15, 15), (in_recovery(), 7, 12), (stopped(), None, None)],
    ids=["it applies", "it has saved since", "its last commit has no answer", "it waits for an operator"],
)
async def test_kafka_is_told_what_the_database_has(
    partition: Partition, now: int | None, at_the_end: int | None
) -> None:
    told = Told()
    work = upkeep(partition, told, Age())
    await work.commit()
    assert told.positions == ({} if now is None else {0: Committed(now, LOG, 3)})
    await work.last()
    assert told.positions == ({} if at_the_end is None else {0: Committed(at_the_end, LOG, 3)})


async def test_of_a_database_that_was_set_back_kafka_is_told_what_was_done() -> None:
    told = Told()
    await upkeep(ready(9), told, Age(went_back=True)).last()
    assert told.positions == {0: Committed(9, LOG, 3)}
