"""Whatever the seed does to the services, nothing is lost, reordered or applied twice, and everything comes to its end."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from simulation import restored
from simulation.faults import BAD_RELEASE, BLINKS, Profile
from simulation.programs import Pace
from simulation.run import simulate

SEEDS, AT_ONCE = 144, 12
FULL = 6
IMPORTS = 6
GROWN_UNEVENLY = 19
BUSY_BEFORE_A_RESTORE = (0, 2)
THREE_FAIL_AND_ONE_DID_NOT = 618
BUSY_SKIP = Profile(restored=("dispatcher", "skip"), people=9, busy=True)
SWITCHED_OFF_TWICE = 66785
DIVIDED_WHILE_IN_HAND = 66685
STOPPED_IN_RECOVERY = (1, 11, 12)
LONG, AT_ONCE_IN_A_LONG_RUN = 10_000, 250


def wrong(seeds: range) -> list[str]:
    found = [f"./switchhook simulate --seed {seed}: {each}" for seed in seeds for each in simulate(seed).wrong]
    gc.collect()
    return found


@pytest.mark.seconds(60)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_a_run_is_sound(first: int) -> None:
    assert wrong(range(first, first + AT_ONCE)) == []


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(SEEDS, LONG, AT_ONCE_IN_A_LONG_RUN))
def test_many_runs_are_sound(first: int) -> None:
    assert wrong(range(first, first + AT_ONCE_IN_A_LONG_RUN)) == []


@pytest.mark.parametrize("crashes", [1.0, 0.0], ids=["a crash", "an orderly stop"])
def test_what_is_skipped_after_a_restore_is_not_sent_again_but_for_the_last_seconds_before_a_crash(
    crashes: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """People are told several numbers in those seconds; after a crash they are told them again, in order."""
    monkeypatch.setattr(restored, "CRASHES", crashes)
    reports = [simulate(seed, profile=BUSY_SKIP) for seed in BUSY_BEFORE_A_RESTORE]
    assert [report.wrong for report in reports] == [[]] * len(reports)
    assert any(report.verdict.repeated for report in reports) == bool(crashes)


@pytest.mark.parametrize("seed", STOPPED_IN_RECOVERY)
def test_a_dispatcher_that_ends_while_a_commit_has_no_answer_tells_kafka_what_it_did(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "CRASHES", 0.0)
    report = simulate(seed, profile=BUSY_SKIP)
    assert (report.wrong, report.verdict.repeated) == ([], 0)


def test_a_project_whose_events_were_applied_before_a_bad_release_is_not_held_by_it() -> None:
    """By a seed in which an engine gets records of four projects and comes to those of three under the bad release."""
    assert simulate(THREE_FAIL_AND_ONE_DID_NOT, profile=BAD_RELEASE).wrong == []


def test_who_has_spent_his_allowance_is_told_of_each_event_that_is_refused() -> None:
    """Nothing waits for an answer to those, and all others are answered."""
    report = simulate(0, profile=Profile(blows=4, unknown=0.2, pace=Pace(slow=0.5), quick_people=6, people=0))
    assert report.wrong == []
    assert report.verdict.gone > 0


def test_a_disk_that_is_full_for_a_while_loses_nothing() -> None:
    assert [each for seed in range(FULL) for each in simulate(seed, profile=Profile(full=3)).wrong] == []


@pytest.mark.parametrize(
    "profile",
    [Profile(kill=0.03), Profile(unknown=0.2), Profile(loses=0.02, rebalances=2), Profile(freeze=0.006, seconds=12.0)],
    ids=["killed", "unknown commits", "lost answers", "frozen"],
)
def test_what_is_done_with_people_is_done_once_and_whole(profile: Profile) -> None:
    """Imports and merges, agents who take over, erasures, and a broadcast."""
    profile = replace(profile, files=3, people=2, agents=2, erased=2, told=6)
    assert [each for seed in range(IMPORTS) for each in simulate(seed, profile=profile).wrong] == []


def test_what_a_partition_that_came_later_says_goes_where_there_is_a_partition() -> None:
    """By a seed in which some partitions are repaired before the others."""
    assert simulate(GROWN_UNEVENLY, profile=Profile(log="grown")).wrong == []


def test_who_is_switched_off_for_hours_is_not_switched_off_and_on_again_meanwhile() -> None:
    """By a seed that chose both. The engines came back early, the idle dispatchers did not, and no peace waited for them."""
    assert simulate(SWITCHED_OFF_TWICE).wrong == []


def test_nothing_is_sent_twice_where_only_the_dispatchers_database_is_away_and_the_groups_are_divided() -> None:
    """By a seed in which people spoke while the second dispatcher joined, and the first one was saving an outcome."""
    assert simulate(DIVIDED_WHILE_IN_HAND).wrong == []
    assert simulate(DIVIDED_WHILE_IN_HAND, profile=replace(BLINKS, begins=1.0)).wrong == []
