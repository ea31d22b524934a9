"""What a project may spend on long tasks."""

from __future__ import annotations

import pytest

from servicekit.workers import allowances
from servicekit.workers.allowances import FREE, MOST, RATE, Allowances, AllowanceSpent


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_ordinary_tasks_cost_nothing() -> None:
    made = Allowances(Clock())
    for _ in range(100_000):
        made.spend("p", FREE)
    made.check("p")


def test_long_tasks_use_it_up_for_their_own_project_and_time_gives_it_back() -> None:
    clock = Clock()
    made = Allowances(clock)
    made.spend("p", MOST + FREE + 0.001)
    with pytest.raises(AllowanceSpent, match=f"{MOST:.0f} s at once"):
        made.check("p")
    made.check("another")
    clock.now += 0.11 / RATE
    made.check("p")
    made.spend("p", 0.2 + FREE)
    with pytest.raises(AllowanceSpent):
        made.check("p")


def test_projects_that_have_all_of_it_again_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowances, "MOST_KNOWN", 10)
    clock = Clock()
    made = Allowances(clock)
    for number in range(50):
        made.spend(f"p{number}", 1.0)
        clock.now += 100
    assert len(made._full_at) <= 10
