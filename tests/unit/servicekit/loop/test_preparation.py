"""From records to a batch, and from a commit to what is written."""

from __future__ import annotations

from uuid import uuid4

import pytest

from contracts.cloudevents import source_headers
from contracts.topic import RECORD_LIMIT
from servicekit.checkpoints.fence import Hold
from servicekit.kafka.publisher import TooLarge
from servicekit.kafka.records import BAD_NAME, Outgoing, Record, examine, unpack_outgoing
from servicekit.loop.batches import Commit, DeadRecord
from servicekit.loop.partitions import Partition
from servicekit.loop.preparation import Portion, Stamps, batch_of, covered, cut, prepare


def partition(number: int, count: int, *, seen: dict[str, tuple[int, int]] | None = None) -> Partition:
    part = Partition("in", number)
    part.begin(Hold(number, 3, uuid4(), 0, None, 2, seen or {}), 0)
    part.receive([Record("in", number, offset, 0, b"k%d" % number, b"x") for offset in range(count)])
    return part


def portions(*parts: Partition, room: int = 250) -> list[Portion]:
    return cut(parts, room)


def test_a_batch_has_each_partitions_records_in_order_up_to_the_limit() -> None:
    made = portions(partition(0, 3), partition(1, 5), partition(2, 5), room=6)
    assert [(record.partition, record.offset) for record in batch_of(made).records] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)
    ]  # fmt: skip
    assert batch_of(made).epochs == {0: 3, 1: 3}


def test_a_record_that_goes_alone_makes_a_batch_of_its_own() -> None:
    failed = partition(1, 3)
    failed.failed(1, RuntimeError(), alone=False)
    assert [len(portion.records) for portion in portions(failed, partition(0, 3))] == [1]
    assert [portion.hold.part for portion in portions(partition(0, 3), failed)] == [0], "not beside others"


def test_a_source_that_is_not_higher_than_all_before_is_a_repeat() -> None:
    part = Partition("in", 0)
    part.begin(Hold(0, 1, uuid4(), 0, None, 1, {"up/1": (5, 1)}), 0)
    sources = [(1, 5, 1), (1, 5, 2), (1, 6, 0), (1, 6, 0), (2, 0, 0), (1, 4, 9)]
    part.receive(
        [
            Record("in", 0, at, 0, b"k", b"x", tuple(source_headers("up", source, offset, ordinal)))
            for at, (source, offset, ordinal) in enumerate(sources)
        ]
    )
    [portion] = portions(part)
    assert [record.offset for record in portion.fresh] == [1, 2, 4]
    assert portion.seen == {"up/1": (6, 0), "up/2": (0, 0)}
    assert portion.hold.seen == {"up/1": (5, 1)}, "nothing is known before the commit"
    assert batch_of([portion]).is_repeat(portion.records[0])


def test_a_commit_of_a_prefix_covers_whole_partitions_and_a_part_of_one() -> None:
    made = portions(partition(0, 3), partition(1, 3))
    assert [len(portion.records) for portion in covered(made, 4)] == [3, 1]
    assert [len(portion.records) for portion in covered(made, 3)] == [3]
    assert covered(made, 0) == []
    assert covered(made, None) == made


def test_effects_carry_their_source_and_go_to_its_partition_where_the_key_is_the_same() -> None:
    made = portions(partition(1, 2))
    first, second = batch_of(made).records
    commit = Commit(
        outgoing=[
            (first, [Outgoing("out", first.key, b"1", [("a", b"b")]), Outgoing("out", b"other", b"2", [])]),
            (second, [Outgoing("elsewhere", second.key, b"3", [])]),
        ],
        dead=[DeadRecord(second, "not-json", "no")],
    )
    prepared = prepare("flow-engine", made, commit, Stamps("in"), {"out"})
    written = prepared.records[1]
    assert [record.partition for record in written] == [1, None, None, None]
    assert written[0].headers == [*source_headers("in", 1, 0, 0), ("a", b"b")]
    assert written[1].headers == source_headers("in", 1, 0, 1)
    assert written[2].headers == source_headers("in", 1, 1, 0)
    assert written[3].topic == "switchhook.flow-engine.dlq.v1"
    [move] = prepared.moves
    assert (move.old, move.new, move.name, move.seen) == (0, 2, "0", None)
    assert unpack_outgoing(move.payload or b"") == written


def test_a_batch_without_effects_has_no_outbox_row() -> None:
    assert prepare("flow-engine", portions(partition(0, 2)), Commit(), Stamps("in"), set()).moves[0].payload is None


def test_too_large_an_effect_is_refused_before_the_commit() -> None:
    made = portions(partition(0, 1))
    commit = Commit(outgoing=[(made[0].records[0], [Outgoing("out", b"k", b"x" * RECORD_LIMIT, [])])])
    with pytest.raises(TooLarge):
        prepare("flow-engine", made, commit, Stamps("in"), set())


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ((("a", b"plain"), ("b", "ü".encode())), None),
        ((("a", b"\xff"),), "the header a is not UTF-8"),
        ((("a", None),), "the header a is null"),
        (((BAD_NAME + "\\xff", b"1"),), "the header name \\xff is not UTF-8"),
        ((), None),
    ],
)
def test_headers_that_cannot_be_read_are_named(
    headers: tuple[tuple[str, bytes | None], ...], problem: str | None
) -> None:
    assert examine(Record("t", 0, 0, 0, b"k", b"v", headers)) == (None, problem)


@pytest.mark.parametrize("name", ["src-topic", "src-partition", "src-offset", "src-index"])
def test_a_source_that_is_not_whole_or_not_readable_is_none(name: str) -> None:
    whole = source_headers("t", 1, 2, 3)
    for headers in ([one for one in whole if one[0] != name], [(n, b"a b\x00" if n == name else v) for n, v in whole]):
        assert examine(Record("t", 0, 0, 0, b"k", b"v", tuple(headers))) == (None, None)
