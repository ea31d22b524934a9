"""Which faults a run does."""

from __future__ import annotations

import pytest
from bench.chaos.schedule import STORM, chosen, schedule

from contracts.topics import TOPICS
from devstack.errors import StackError


def test_without_a_choice_all_are_done_and_the_longest_last() -> None:
    assert chosen([])[0] == STORM
    assert chosen([])[1:] == list(schedule())
    assert chosen([])[-1] == "away-engine"


def test_a_kind_stands_for_all_of_it_and_order_is_the_schedules() -> None:
    assert chosen(["away", "poison"]) == ["poison", "away-postgres", "away-engine"]


def test_every_topic_is_made_anew() -> None:
    anew = [schedule()[name].strike for name in chosen(["anew"])]
    assert sorted(topic for each in anew for topic in each.keywords["topics"]) == sorted(topic.name for topic in TOPICS)  # type: ignore[attr-defined]


def test_what_is_no_fault_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(StackError, match=r"There is no fault disc: choose of storm, poison, anew-commands"):
        chosen(["disc"])
