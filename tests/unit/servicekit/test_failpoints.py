"""Reading the setting, and when a point acts."""

from __future__ import annotations

import os
import signal

import pytest

from servicekit import failpoints
from servicekit.failpoints import parse


def test_points_get_their_probabilities_and_durations() -> None:
    found = parse(
        "seed=7; kill=0.03@in_txn,after_commit;freeze=0.01:9s@after_commit;commit_unknown=0.5;publish_fails=0.1:10s"
    )
    assert found.kill == {"in_txn": 0.03, "after_commit": 0.03}
    assert found.freeze == {"after_commit": (0.01, 9.0)}
    assert found.windows == {"commit_unknown": (0.5, 0.0), "publish_fails": (0.1, 10.0)}


def test_a_word_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        parse("explode=1@in_txn")


def test_a_point_with_a_duration_acts_that_long_and_others_once() -> None:
    found = parse("seed=1;publish_fails=1:60s;commit_unknown=0.5")
    assert found.strikes("publish_fails")
    found.windows["publish_fails"] = (1e-9, 60.0)
    assert all(found.strikes("publish_fails") for _ in range(100))
    acted = sum(found.strikes("commit_unknown") for _ in range(1000))
    assert 400 < acted < 600
    assert not found.strikes("unheard_of")


def test_the_same_seed_and_process_fail_at_the_same_places() -> None:
    def run(seed: int) -> list[bool]:
        found = parse(f"seed={seed};commit_unknown=0.5", salt=3)
        return [found.strikes("commit_unknown") for _ in range(50)]

    assert run(1) == run(1) != run(2)


def test_a_stop_lasts_until_somebody_outside_ends_it_and_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: signals.append(number))
    found = parse("stop=1@before_txn")
    for point in ("in_txn", "before_txn", "before_txn"):
        found.pass_by(point)
    assert signals == [signal.SIGSTOP]


def test_nothing_acts_while_it_is_calm() -> None:
    found = parse("calm=60s;commit_unknown=1;freeze=1:60s@in_txn")
    assert not found.strikes("commit_unknown")
    found.pass_by("in_txn")
    found.calm_until = 0.0
    assert found.strikes("commit_unknown")


async def test_a_point_that_only_some_batches_pass_is_asked_for_where_something_can_happen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals: list[int] = []
    asked: list[str] = []
    monkeypatch.setattr(os, "kill", lambda _, number: signals.append(number))
    monkeypatch.setattr(failpoints, "_active", lambda: parse("kill=1@after_commit_of_actions"))

    def of_them(point: str, answer: bool) -> bool:
        asked.append(point)
        return answer

    for point, answer in (("before_txn_of_actions", True), ("after_commit_of_actions", False)):
        await failpoints.failpoint_of(point, lambda point=point, answer=answer: of_them(point, answer))
    assert (asked, signals) == (["after_commit_of_actions"], [])
    await failpoints.failpoint_of("after_commit_of_actions", lambda: True)
    assert signals == [signal.SIGKILL]
