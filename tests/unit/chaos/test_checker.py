"""The checker sees each kind of damage, and nothing where there is none."""

from __future__ import annotations

import pytest
from bench.chaos.checker import judge, judge_so_far


def arrivals(*texts: str) -> list[tuple[str, str]]:
    return [("a", text) for text in texts]


def test_a_sound_run_has_no_findings() -> None:
    verdict = judge({"a": 3}, arrivals("1:1", "2:2", "3:3"), {"a": 3}, {})
    assert verdict.sound
    assert (verdict.events, verdict.wire_duplicates) == (3, 0)


def test_a_repeat_right_behind_its_twin_is_only_a_wire_duplicate() -> None:
    verdict = judge({"a": 2}, arrivals("1:1", "1:1", "2:2"), {"a": 2}, {})
    assert verdict.sound
    assert verdict.wire_duplicates == 1


def test_a_missing_answer_is_lost() -> None:
    assert judge({"a": 3}, arrivals("1:1", "3:3"), {"a": 3}, {}).lost == 1


def test_a_missing_application_is_lost() -> None:
    assert judge({"a": 2}, arrivals("1:1", "2:2"), {"a": 1}, {}).lost == 1


def test_a_late_repeat_is_reordered() -> None:
    assert judge({"a": 2}, arrivals("1:1", "2:2", "1:1"), {"a": 2}, {}).reordered == 1


def test_a_swap_is_reordered() -> None:
    assert judge({"a": 2}, arrivals("2:2", "1:1"), {"a": 2}, {}).reordered == 1


def test_a_second_application_is_seen_in_state_and_in_answers() -> None:
    assert judge({"a": 2}, arrivals("1:1", "2:3"), {"a": 3}, {}).applied_twice == 2


def test_a_chat_that_never_spoke_hears_nothing() -> None:
    assert judge({}, arrivals("1:1"), {}, {}).applied_twice == 1


def test_a_message_that_became_two_deliveries_was_taken_twice() -> None:
    assert judge({"a": 1}, arrivals("1:1", "1:1"), {"a": 1}, {"a": 1}).applied_twice == 1


@pytest.mark.parametrize("texts", [[], ["1:1"], ["1:1", "1:1", "2:2"]])
def test_in_the_middle_of_a_sound_run_nothing_is_wrong_yet(texts: list[str]) -> None:
    assert judge_so_far(arrivals(*texts), {}).sound


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        (["2:2"], "lost"),
        (["1:1", "3:3"], "lost"),
        (["1:1", "2:2", "1:1"], "reordered"),
        (["1:1", "2:3"], "applied_twice"),
    ],
)
def test_what_is_wrong_already_is_found_before_the_end(texts: list[str], wrong: str) -> None:
    assert judge_so_far(arrivals(*texts), {}).figures()[wrong] == 1


def test_a_message_that_became_two_deliveries_is_found_before_the_end() -> None:
    assert judge_so_far(arrivals("1:1"), {"a": 1}).applied_twice == 1
