"""Whatever the seed does to the services, nothing is lost, reordered or applied twice, and everything comes to its end."""

from __future__ import annotations

import gc

import pytest

from simulation.faults import Profile
from simulation.run import simulate

SEEDS, AT_ONCE = 200, 10
FULL = 6
GROWN_UNEVENLY = 19
LONG, AT_ONCE_IN_A_LONG_RUN = 10_000, 250


def wrong(seeds: range) -> list[str]:
    found = [f"./switchhook simulate --seed {seed}: {each}" for seed in seeds for each in simulate(seed).wrong]
    gc.collect()
    return found


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_a_run_is_sound(first: int) -> None:
    assert wrong(range(first, first + AT_ONCE)) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(SEEDS, LONG, AT_ONCE_IN_A_LONG_RUN))
def test_many_runs_are_sound(first: int) -> None:
    assert wrong(range(first, first + AT_ONCE_IN_A_LONG_RUN)) == []


def test_a_disk_that_is_full_for_a_while_loses_nothing() -> None:
    assert [each for seed in range(FULL) for each in simulate(seed, profile=Profile(full=3)).wrong] == []


def test_what_a_partition_that_came_later_says_goes_where_there_is_a_partition() -> None:
    """By a seed in which some partitions are repaired before the others."""
    assert simulate(GROWN_UNEVENLY, profile=Profile(log="grown")).wrong == []
