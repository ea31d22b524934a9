"""The checker sees each kind of damage, and nothing where there is none."""

from __future__ import annotations

import pytest
from bench.chaos.checker import SentAgain, Verdict, judge, judge_so_far


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


def test_what_a_deleted_topic_took_along_is_gone_and_not_lost() -> None:
    """3 was in the topic of messages, and is in no count after it; 5 was applied and its answer was in the topic."""
    texts = arrivals("1:1", "2:2", "4:3", "6:5")
    verdict = judge({"a": 6}, texts, {"a": 5}, {}, {"a": {1, 2, 3, 4, 5}})
    assert verdict.sound, verdict.figures()
    assert verdict.gone == 2


@pytest.mark.parametrize(
    ("texts", "count", "wrong"),
    [
        (["1:1", "3:2"], 2, "lost"),  # 4 was said after the repair.
        (["1:1", "3:2", "4:2"], 2, "applied_twice"),  # Less than what is gone allows.
        (["1:1", "3:2", "4:4"], 4, "applied_twice"),  # What 3 had not, 4 may not have either.
        (["1:1", "3:2", "4:3"], 2, "lost"),
        (["3:2", "1:1", "4:3"], 3, "reordered"),
    ],
)
def test_nothing_else_may_differ_after_a_deleted_topic(texts: list[str], count: int, wrong: str) -> None:
    assert judge({"a": 4}, arrivals(*texts), {"a": count}, {}, {"a": {1, 2}}).figures()[wrong]


@pytest.mark.parametrize("kind", ["silent", "stuck", "needless"])
def test_silence_standstill_and_needless_repeats_are_findings(kind: str) -> None:
    verdict = judge({"a": 1}, arrivals("1:1"), {"a": 1}, {})
    verdict.found(kind, 1, "PostgreSQL is away, and readiness says nothing of it")
    assert not verdict.sound


def restored(*texts: str, may: tuple[str, ...] = (), must: tuple[str, ...] = (), said: int = 9) -> Verdict:
    """1, 2 and 3 had arrived when the database was put back; then what `texts` say."""
    again = SentAgain(3, frozenset(arrivals(*may)), frozenset(arrivals(*must)), said)
    return judge({"a": 4}, arrivals("1:1", "2:2", "3:3", *texts), {"a": 4}, {}, again=again)


def test_what_the_docs_say_is_sent_again_is_counted_and_sound() -> None:
    verdict = restored("2:2", "3:3", "4:4", may=("2:2", "3:3"), must=("3:3",))
    assert verdict.sound
    assert (verdict.repeated, verdict.wire_duplicates) == (2, 0)


@pytest.mark.parametrize(
    ("verdict", "kind"),
    [
        (restored("3:3", "4:4"), "applied_twice"),
        (restored("1:1", "3:3", "4:4", may=("3:3",)), "applied_twice"),
        (restored("4:4", may=("3:3",), must=("3:3",)), "lost"),
        (restored("3:3", "2:2", "4:4", may=("2:2", "3:3")), "reordered"),
        (restored("4:4", "3:3", may=("3:3",)), "reordered"),
        (restored("2:2", "3:3", "4:4", may=("2:2", "3:3"), said=1), "silent"),
    ],
)
def test_what_is_sent_again_otherwise_is_wrong(verdict: Verdict, kind: str) -> None:
    assert getattr(verdict, kind) > 0
