"""What an operator's word about a restored database comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.cloudevents import TYPE_PREFIX
from operations.commands.checkpoints import decide
from operations.errors import CommandError
from operations.installation import Installation
from operations.restores import Older, kinds, marks_behind, positions, said_anew, type_of
from servicekit.checkpoints.age import Behind, Standing, behind
from servicekit.kafka.committed import Committed
from servicekit.kafka.records import Record

OLDER = Older("in", "g", [Behind(0, 40, 70)], {0: Committed(70, "id", 9), 1: Committed(5, "id", 8)})


def test_again_tells_kafka_where_the_backup_stands() -> None:
    assert positions(OLDER, "again", 3) == {0: Committed(40, "id", 3), 1: Committed(5, "id", 3)}


def test_what_is_applied_again_is_of_another_incarnation_and_no_older() -> None:
    """Else marks would tell that it was done, or the next look that the database is older."""
    assert said_anew(OLDER) == {0: "id~1"}
    assert behind({0: Standing(40, "id~1"), 1: Standing(5, "id")}, OLDER.committed) == []
    assert said_anew(replace(OLDER, committed={0: Committed(70, "id~1", 9)})) == {0: "id~2"}


def test_skip_leaves_what_was_done() -> None:
    assert positions(OLDER, "skip", 3) == {0: Committed(70, "id", 3), 1: Committed(5, "id", 3)}


def record(offset: int, source: int | None = None, type: str = "action.message") -> Record:
    of = [("ce_type", f"{TYPE_PREFIX}{type}".encode())]
    if source is not None:
        of += [
            ("src-topic", b"in"),
            ("src-partition", b"2"),
            ("src-offset", b"%d" % source),
            ("src-index", b"0"),
        ]
    return Record("actions", 0, offset, 0, b"k", b"{}", tuple(of))


def test_what_repeats_the_causes_of_records_that_are_left_out_is_a_repeat() -> None:
    assert marks_behind({"in/2": (4, 0)}, [record(7, 5), record(8), record(9, 6)]) == {"in/2": (6, 0)}


def test_what_would_be_repeated_is_counted_by_kind() -> None:
    told = kinds(map(type_of, [record(1), record(2, type="action.call"), record(3)]))
    assert told == "1 action.call, 2 action.message"
    assert kinds([]) == "no record that is still there"


@pytest.mark.parametrize(("service", "choice"), [("ingress", "skip"), ("dispatcher", "perhaps")])
def test_what_nobody_can_decide_is_refused(service: str, choice: str) -> None:
    with pytest.raises(CommandError):
        decide(Installation("switchhook-ops", "say where"), service, choice, "", "")
