"""What the tables of `servicekit.checkpoints` do: one suite, on the twin in memory and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID, uuid4

import pytest

from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.outbox import Row
from servicekit.kafka.records import Outgoing, pack_outgoing

TOPIC, PART = "in", 1
RECORD = Outgoing("out", b"k", b"v", [("a", b"b")])


class Tables(Protocol):
    """The statements, each with its commit. `advance` with `keep` False is rolled back."""

    async def bump(self, owner: UUID, predecessors: Sequence[UUID] | None) -> Hold | None: ...

    async def create(self, owner: UUID, start: int, incarnation: str | None = None) -> Hold: ...

    async def other_count(self, partitions: int) -> int | None:
        """They are made with 3."""
        ...

    async def advance(
        self, move: CheckpointMove, published: Sequence[tuple[int, str]] = (), *, keep: bool = True
    ) -> set[int]: ...

    async def lock(self, hold: Hold) -> bool: ...

    async def add(self, name: str, records: list[Outgoing]) -> None: ...

    async def unsent(self) -> list[Row]: ...

    async def delete(self, name: str) -> None: ...


def to(hold: Hold, new: int, *records: Outgoing, old: int | None = None) -> CheckpointMove:
    """A move of the hold's partition."""
    payload = pack_outgoing(list(records)) if records else None
    return CheckpointMove(hold, hold.stored if old is None else old, new, f"id-{new}", {"s/0": (new, 0)}, payload)


class CheckpointsSuite:
    """A subclass has a fixture `tables`."""

    async def test_who_raised_the_epoch_last_moves_the_checkpoint_and_nobody_else(self, tables: Tables) -> None:
        first = await tables.create(uuid4(), 5)
        assert await tables.advance(to(first, 8)) == {PART}
        second = await tables.bump(uuid4(), None)
        assert second is not None
        assert (second.next_offset, second.last_id, second.epoch) == (8, "id-8", first.epoch + 1)
        assert second.seen == {"s/0": (8, 0)}
        assert await tables.advance(to(first, 9, old=8)) == set()
        assert not await tables.lock(first)
        assert await tables.lock(second)
        assert await tables.advance(to(second, 9)) == {PART}

    async def test_a_move_from_elsewhere_moves_nothing(self, tables: Tables) -> None:
        hold = await tables.create(uuid4(), 5)
        assert await tables.advance(to(hold, 8, old=6)) == set()
        assert await tables.advance(to(hold, 8)) == {PART}

    async def test_only_a_predecessor_that_is_named_is_followed(self, tables: Tables) -> None:
        owner = uuid4()
        assert await tables.bump(owner, None) is None
        await tables.create(owner, 0)
        assert await tables.bump(uuid4(), [uuid4()]) is None
        assert await tables.bump(uuid4(), [uuid4(), owner]) is not None

    async def test_making_one_that_is_there_takes_it_over(self, tables: Tables) -> None:
        await tables.create(uuid4(), 5)
        later = await tables.create(uuid4(), 9)
        assert (later.next_offset, later.epoch) == (5, 2)

    async def test_a_checkpoint_knows_its_topics_id_once_it_has_moved(self, tables: Tables) -> None:
        hold = await tables.create(uuid4(), 5)
        assert hold.incarnation is None
        hold.incarnation = "id"
        await tables.advance(to(hold, 8))
        again = await tables.bump(uuid4(), None)
        assert again is not None
        assert again.incarnation == "id"
        again.incarnation = None
        await tables.advance(to(again, 9))
        last = await tables.bump(uuid4(), None)
        assert last is not None
        assert last.incarnation == "id"

    async def test_it_may_be_made_with_it_and_other_counts_of_partitions_are_told(self, tables: Tables) -> None:
        assert await tables.other_count(4) is None
        assert (await tables.create(uuid4(), 5, "id")).incarnation == "id"
        assert (await tables.other_count(3), await tables.other_count(4)) == (None, 3)

    async def test_what_is_unsent_comes_in_the_order_of_its_commits(self, tables: Tables) -> None:
        hold = await tables.create(uuid4(), 5)
        await tables.advance(to(hold, 8, RECORD))
        hold.stored = 8
        await tables.add("between", [RECORD, RECORD])
        await tables.advance(to(hold, 9, RECORD))
        assert [row.name for row in await tables.unsent()] == ["5", "between", "8"]
        assert [len(row.records) for row in await tables.unsent()] == [1, 2, 1]
        assert (await tables.unsent())[0].records == [RECORD]

    async def test_what_kafka_has_goes_by_its_name(self, tables: Tables) -> None:
        hold = await tables.create(uuid4(), 5)
        await tables.advance(to(hold, 8, RECORD))
        hold.stored = 8
        await tables.advance(to(hold, 9, RECORD), [(PART, "5"), (PART + 1, "8")])
        assert [row.name for row in await tables.unsent()] == ["8"]
        await tables.delete("8")
        assert await tables.unsent() == []

    async def test_what_is_rolled_back_was_never_there(self, tables: Tables) -> None:
        hold = await tables.create(uuid4(), 5)
        assert await tables.advance(to(hold, 8, RECORD), keep=False) == {PART}
        assert await tables.unsent() == []
        assert await tables.advance(to(hold, 7)) == {PART}

    @pytest.mark.parametrize("records", [[RECORD], [RECORD, RECORD]], ids=["one", "two"])
    async def test_records_come_out_as_they_went_in(self, tables: Tables, records: list[Outgoing]) -> None:
        await tables.add("row", records)
        assert await tables.unsent() == [Row("row", records)]
