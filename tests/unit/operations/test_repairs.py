"""Where a checkpoint that does not fit its log goes on."""

from __future__ import annotations

import pytest

from operations.checkpoints import Checkpoint, Log, range_problem, repair

KNOWN = "the topic's id"


def at(next_offset: int, incarnation: str | None = KNOWN) -> Checkpoint:
    return Checkpoint("in", 0, next_offset, "id", 6, incarnation)


@pytest.mark.parametrize(
    ("checkpoint", "log", "offset", "because"),
    [
        (at(40), Log(0, 20, 6, "another"), 0, "the start of the topic that was made anew"),
        (at(40), Log(5, 90, 6, "another"), 5, "the start of the topic that was made anew"),
        (at(40), Log(0, 20, 6, KNOWN), 20, "the end of the log that was cut off"),
        (at(3), Log(5, 20, 6, KNOWN), 5, "what was before it is deleted"),
        (at(10), Log(0, 20, 12, KNOWN), 10, "where it stood"),
        (at(10), Log(0, 20, 6, KNOWN), 10, "where it stood"),
        (at(40, None), Log(0, 20, 6, KNOWN), 0, "whether the topic was made anew is not known"),
        (at(40), Log(0, 20, 6, None), 0, "whether the topic was made anew is not known"),
    ],
    ids=["anew", "anew and longer", "cut off", "retention", "grown", "rewritten", "earlier release", "no ids"],
)
def test_nothing_is_left_out_and_nothing_is_applied_twice_as_far_as_the_log_allows(
    checkpoint: Checkpoint, log: Log, offset: int, because: str
) -> None:
    found = repair(checkpoint, log)
    assert found.offset == offset
    assert because in found.because
    assert found.cut_off == ("cut off" in because)


def test_a_topic_is_known_by_its_id_also_after_its_log_was_cut_off_and_repaired() -> None:
    assert range_problem(at(10, f"{KNOWN}~7"), Log(0, 20, 6, KNOWN)) is None
    assert repair(at(40, f"{KNOWN}~7"), Log(0, 20, 6, KNOWN)).offset == 20
    assert repair(at(40, f"{KNOWN}~7"), Log(0, 20, 6, "another")).offset == 0


@pytest.mark.parametrize(
    ("checkpoint", "log", "problem"),
    [
        (at(40), Log(0, 20, 6, "another"), "in/0: the topic was made anew since the checkpoint 40"),
        (at(40), Log(40, 50, 6, "another"), "in/0: the topic was made anew since the checkpoint 40"),
        (at(0), Log(0, 20, 6, "another"), None),
        (at(40), Log(0, 20, 6, KNOWN), "in/0: the log ends at 20, before the checkpoint 40: its end was lost"),
        (at(40, None), Log(0, 20, 6, KNOWN), "in/0: the log ends at 20, before the checkpoint 40: it is another log"),
        (at(10), Log(0, 20, 6, KNOWN), None),
    ],
    ids=["anew", "anew where nothing can be compared", "nothing applied", "cut off", "earlier release", "fits"],
)
def test_the_sentence_says_what_happened(checkpoint: Checkpoint, log: Log, problem: str | None) -> None:
    assert range_problem(checkpoint, log) == problem
