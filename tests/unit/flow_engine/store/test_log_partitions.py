"""Partitions of the logs are made ahead of time and dropped when their time is over."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from flow_engine.store.log_partitions import Log, outlived, wanted

DAILY, MONTHLY = Log("event_log", False, 9), Log("message", True, 365)


def test_days_ahead_are_made_and_yesterday_too() -> None:
    made = list(wanted(DAILY, date(2026, 11, 30)))
    assert [name for name, _, _ in made] == [
        f"event_log_{day}" for day in (20261129, 20261130, 20261201, 20261202, 20261203)
    ]
    assert all(end == start for (_, _, end), (_, start, _) in pairwise(made))


def test_months_ahead_are_made() -> None:
    made = list(wanted(MONTHLY, date(2026, 12, 31)))
    assert made[0] == ("message_20261201", date(2026, 12, 1), date(2027, 1, 1))
    assert len(made) == 5


def test_a_partition_goes_when_its_youngest_row_is_too_old() -> None:
    names = ["event_log_20261110", "event_log_20261111", "event_log_20261112"]
    assert outlived(DAILY, names, date(2026, 11, 21)) == ["event_log_20261110", "event_log_20261111"]
    assert outlived(Log("message", True, None), ["message_20200101"], date(2026, 11, 21)) == []
