"""Rates and levels of `top`, from what /metrics said at two moments."""

from __future__ import annotations

import pytest

from operations.live.rows import TopicRow, replica_rows, topic_rows
from operations.live.samples import Sample, sample_of
from operations.live.screen import lines

STARTED = "# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds {}\n"
TEXT = """
# HELP switchhook_records_total Records applied
# TYPE switchhook_records_total counter
switchhook_records_total{{topic="switchhook.actions.v1"}} {records}
# TYPE switchhook_records_created gauge
switchhook_records_created{{topic="switchhook.actions.v1"}} 1.7e9
# TYPE switchhook_attempts_total counter
switchhook_attempts_total{{kind="call",outcome="succeeded"}} {good}
switchhook_attempts_total{{kind="event",outcome="succeeded"}} 5
switchhook_attempts_total{{kind="event",outcome="retry"}} {bad}
# TYPE switchhook_consumer_lag_records gauge
switchhook_consumer_lag_records{{topic="switchhook.actions.v1",partition="3"}} {lag}
# TYPE switchhook_dead_letters_total counter
switchhook_dead_letters_total{{topic="switchhook.actions.v1",code="unknown-type"}} {dead}
# TYPE switchhook_in_flight gauge
switchhook_in_flight 4
# TYPE switchhook_commit_seconds histogram
switchhook_commit_seconds_bucket{{le="+Inf"}} 3
switchhook_commit_seconds_count 3
switchhook_commit_seconds_sum 0.1
"""


def sample(at: float, *, started: float = 100.0, **values: float) -> Sample:
    given = {"records": 0.0, "good": 0.0, "bad": 0.0, "lag": 0.0, "dead": 0.0} | values
    return sample_of(STARTED.format(started) + TEXT.format(**given), at)


def test_rates_are_what_was_counted_between_two_moments() -> None:
    before = {"dispatcher": sample(10.0, records=100, good=10, bad=1, dead=1)}
    now = {"dispatcher": sample(12.0, records=150, good=30, bad=4, dead=3, lag=7)}

    (row,) = replica_rows(before, now)
    assert (row.state, row.rates) == ("", {"records": 25.0})
    assert row.attempts == {"retry": 1.5, "succeeded": 10.0}
    assert row.levels == {"in flight": 4.0}
    topic = TopicRow("switchhook.actions.v1", records=25.0, lag=7, dead=3, died=2)
    assert topic_rows(before, now) == [topic]
    assert list(lines([row], [topic])) == [
        "dispatcher  records 25.0/s  attempts/s retry 1.5, succeeded 10.0  in flight 4",
        "switchhook.actions.v1  applied 25.0/s  published 0.0/s  behind 7  outbox 0  dead letters 3 (+2)",
    ]


@pytest.mark.parametrize("again", [{"started": 111.0, "records": 900.0}, {"records": 3.0}])
def test_a_replica_that_was_started_again_has_no_rate_from_the_counters_of_two_processes(
    again: dict[str, float],
) -> None:
    before, now = {"dispatcher": sample(10.0, records=100)}, {"dispatcher": sample(12.0, **again)}
    (row,) = replica_rows(before, now)
    assert (row.state, row.rates) == ("started again", None)
    assert [topic.records for topic in topic_rows(before, now)] == [0.0]


def test_a_replica_that_goes_away_is_shown_as_away_and_one_that_comes_as_new() -> None:
    one, two, gone = "dispatcher at 10.0.0.1", "dispatcher at 10.0.0.2", "dispatcher at 10.0.0.3"
    before = {one: sample(10.0), gone: sample(10.0), two: None}
    now = {one: None, two: sample(12.0)}
    rows = replica_rows(before, now)
    assert [(row.replica, row.state) for row in rows] == [(one, "away"), (two, "new"), (gone, "away")]
    assert next(lines(rows, [])) == f"{one} (away)"


def test_a_partition_that_two_replicas_tell_of_counts_once() -> None:
    now = {"a": sample(12.0, lag=9, records=4), "b": sample(12.0, lag=7, records=6)}
    (row,) = topic_rows({"a": sample(10.0), "b": sample(10.0)}, now)
    assert (row.lag, row.records) == (9, 5.0)
