"""Where a run's time went."""

from __future__ import annotations

from support.suite.account import folders, slowest

SECONDS = {
    "tests/unit/flowlang/test_ask.py::test_a[x::y]": 0.25,
    "tests/component/dispatcher/test_calls.py::test_b": 3.0,
    "tests/component/dispatcher/test_calls.py::test_c": 1.5,
    "tests/unit/ingress/doors/test_runs.py::test_d": 1.0,
}


def test_seconds_are_added_up_per_folder() -> None:
    assert [line.split() for line in folders(SECONDS)] == [
        ["4.5", "s", "2", "tests", "tests/component/dispatcher"],
        ["1.2", "s", "2", "tests", "tests/unit"],
    ]


def test_the_slowest_come_first_and_quick_ones_are_not_named() -> None:
    assert [line.rpartition("::")[2] for line in slowest(SECONDS)] == ["test_b", "test_c", "test_d"]
    assert len(slowest({str(number): 1.0 for number in range(30)})) == 20
