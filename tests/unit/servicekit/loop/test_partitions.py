"""What a partition takes in and hands out."""

from __future__ import annotations

import asyncio
import sys
from typing import Any
from uuid import uuid4

import pytest

from servicekit.checkpoints.fence import Hold
from servicekit.kafka.records import Record
from servicekit.loop.assignment import MAX_WAITING_BYTES, Assignment
from servicekit.loop.partitions import LONGEST_DELAY, MAX_UNACKNOWLEDGED, LogProblem, Partition, Rewritten, State


def records(*offsets: int, size: int = 1, id: str | None = None) -> list[Record]:
    headers = (("ce_id", (id or "").encode()),) if id else ()
    return [Record("t", 0, offset, 0, b"k", b"x" * size, headers) for offset in offsets]


def begun(next_offset: int = 10, *, last_id: str | None = None, log_start: int = 0) -> Partition:
    part = Partition("t", 0)
    part.begin(Hold(0, 1, uuid4(), next_offset, last_id, 1), log_start)
    return part


def offsets_in(part: Partition, room: int = 100) -> list[int]:
    return [record.offset for record in part.peek(room, 10_000)] if part.waiting else []


def test_what_comes_next_is_taken() -> None:
    part = begun()
    assert part.receive(records(10, 11)) is None
    assert part.receive(records(12)) is None
    assert offsets_in(part) == [10, 11, 12]


def test_it_is_known_since_when_the_first_record_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((1.0, 2.0, 3.0))
    monkeypatch.setattr("servicekit.loop.partitions.time.monotonic", lambda: next(clock))
    part = begun()
    assert part.since is None
    part.receive(records(10, 11))
    part.receive(records(12))
    seen = [part.since]
    for _ in range(3):
        part.drop(1)
        seen.append(part.since)
    assert seen == [1.0, 1.0, 2.0, None]
    part.receive(records(13))
    part.again()
    assert part.since is None


def test_what_is_left_from_before_a_seek_is_refused_however_often_it_comes() -> None:
    part = begun()
    for _ in range(3):
        assert part.receive(records(7, 8, 9, 10)) == 10
    assert part.waiting == 0


def test_a_gap_is_fetched_again_and_is_real_the_second_time() -> None:
    part = begun()
    assert part.receive(records(12, 13)) == 10
    assert part.receive(records(12, 13)) is None
    assert offsets_in(part) == [12, 13]
    assert part.holes == 2


def test_a_stale_fetch_is_not_a_gap_when_the_right_records_follow() -> None:
    part = begun()
    assert part.receive(records(12, 13)) == 10
    assert part.receive(records(10, 11, 12)) is None
    assert offsets_in(part) == [10, 11, 12]


def test_a_gap_inside_a_fetch_ends_it() -> None:
    part = begun()
    assert part.receive(records(10, 11, 14, 15, 17)) == 12
    assert part.receive(records(14, 15, 17)) == 16
    assert part.receive(records(17)) is None
    assert offsets_in(part) == [10, 11, 14, 15, 17]


def test_the_record_before_the_checkpoint_must_be_the_one_that_was_applied() -> None:
    part = begun(last_id="a")
    assert part.position == 9
    assert part.receive(records(9, 10, 11, id="a")) is None
    assert offsets_in(part) == [10, 11]
    with pytest.raises(LogProblem, match="offset 9 does not hold the record"):
        begun(last_id="b").receive(records(9, id="a"))


def test_a_gap_where_that_record_was_is_another_log() -> None:
    part = begun(last_id="a")
    assert part.receive(records(11, id="z")) == 9
    with pytest.raises(LogProblem):
        part.receive(records(11, id="z"))


def test_an_expired_record_before_the_checkpoint_is_not_asked_for() -> None:
    assert begun(last_id="a", log_start=10).position == 10


def test_room_is_kept_by_count_and_by_size() -> None:
    part = begun()
    part.receive(records(10, 11, 12, size=100))
    assert len(part.peek(2, 10_000)) == 2
    assert len(part.peek(10, 250)) == 2
    assert len(part.peek(10, 50)) == 1, "the first one whatever its size"


def test_after_a_failure_records_go_alone_until_the_last_of_that_batch() -> None:
    part = begun()
    part.receive(records(10, 11, 12))
    part.failed(11, RuntimeError(), alone=False)
    assert offsets_in(part) == [10]
    part.drop(1)
    part.failed(11, RuntimeError(), alone=True)
    assert part.tries == 1
    assert offsets_in(part) == [11]
    part.drop(1)
    assert part.tries == 0
    assert offsets_in(part) == [12]


def test_nothing_is_handed_out_while_too_much_is_unacknowledged_or_it_is_not_ready() -> None:
    part = begun()
    part.receive(records(10))
    assert part.may_take()
    assert part.hold is not None
    part.hold.unacknowledged = MAX_UNACKNOWLEDGED
    assert not part.may_take()
    part.hold.unacknowledged = 0
    part.again()
    assert part.state is State.RECOVERING
    assert not part.may_take()
    assert part.waiting == 0


def test_delays_double_up_to_a_limit() -> None:
    part = begun()
    delays = []
    for _ in range(8):
        part.wait_longer()
        delays.append(part.delay)
    assert delays[:3] == [0.1, 0.2, 0.4]
    assert delays[-1] == LONGEST_DELAY


def led_by(epoch: int, *offsets: int, id: str = "") -> list[Record]:
    return [record._replace(leader_epoch=epoch) for record in records(*offsets, id=id or None)]


def test_what_another_leader_wrote_is_taken_once_what_was_received_before_is_still_there() -> None:
    part = begun()
    assert part.receive(led_by(3, 10, 11)) is None
    assert part.receive(led_by(4, 12, 13)) == 11
    assert part.receive([*led_by(3, 11), *led_by(4, 12, 13)]) is None
    assert part.receive(led_by(4, 14)) is None
    assert offsets_in(part) == [10, 11, 12, 13, 14]


def test_what_is_fetched_again_may_come_alone() -> None:
    part = begun()
    part.receive(led_by(3, 10))
    assert part.receive(led_by(4, 11)) == 10
    assert part.receive(led_by(3, 10)) is None
    assert part.receive(led_by(4, 11)) is None
    assert offsets_in(part) == [10, 11]


@pytest.mark.parametrize("epoch", [2, 4], ids=["another log", "another leader"])
def test_a_log_that_has_lost_what_was_received_is_not_read_on(epoch: int) -> None:
    part = begun()
    part.receive(led_by(3, 10, 11, id="lost"))
    assert part.receive(led_by(epoch, 12)) == 11
    with pytest.raises(Rewritten):
        part.receive(led_by(epoch, 11, 12, id="new"))


def test_a_partition_that_stands_at_its_end_is_looked_at_once_for_each_leader() -> None:
    part = begun()
    assert part.led(3) is None, "nothing was received that could be lost"
    assert part.receive(led_by(3, 10)) is None
    assert part.led(3) is None
    assert part.led(5) == 10
    assert part.led(5) is None, "it is being looked at"
    assert part.receive(led_by(3, 10)) is None
    assert part.led(5) is None
    assert part.receive(led_by(5, 11)) is None
    assert offsets_in(part) == [10, 11]


def test_records_of_unknown_leaders_are_taken_as_they_come() -> None:
    part = begun()
    assert part.receive(records(10)) is None
    assert part.receive(records(11)) is None


def test_a_stopped_partition_stays_red_until_it_is_known_to_fit() -> None:
    part = begun(last_id="a")
    part.stop("it is another log")
    part.begin(Hold(0, 2, uuid4(), 10, "a", 1), 0)
    assert part.problem == "it is another log"
    part.receive(records(9, id="a"))
    assert part.problem is None


def test_bytes_that_wait_are_known_and_those_that_are_applied_let_go() -> None:
    part = begun()
    values = [bytes(1000), bytes(2000), bytes(4000)]
    part.receive([Record("t", 0, 10 + n, 0, b"k", value) for n, value in enumerate(values)])
    assert part.waiting_bytes == 7003
    references = sys.getrefcount(values[0])
    part.drop(1)
    assert (part.waiting_bytes, sys.getrefcount(values[0])) == (6002, references - 1)
    part.clear()
    assert part.waiting_bytes == 0


def test_no_more_is_fetched_than_may_wait_whether_many_records_or_large_ones() -> None:
    nothing: Any = None
    assignment = Assignment(nothing, nothing, nothing, asyncio.Event(), max_waiting=1000)
    for number in (0, 1):
        assignment.partitions[number] = begun()
    large = records(*range(10, 1010), size=1_400_000)
    taken = 0
    while assignment.has_room():
        assignment.receive(taken % 2, [large[taken // 2]])
        taken += 1
    assert taken * 1_400_000 < 1.1 * MAX_WAITING_BYTES
    assignment.partitions[0].drop(1)
    assert assignment.has_room()
