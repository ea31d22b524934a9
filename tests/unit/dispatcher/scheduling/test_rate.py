"""The token bucket."""

from __future__ import annotations

import pytest

from dispatcher.scheduling.rate import TokenBucket


def test_what_is_saved_goes_at_once_and_then_at_the_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [0, 0, 0]
    assert bucket.take(100.0) == pytest.approx(0.1)
    assert bucket.take(100.05) == pytest.approx(0.05)
    assert bucket.take(100.1) == 0


def test_no_more_than_the_burst_is_saved() -> None:
    bucket = TokenBucket(rate=10, burst=3, now=0.0)
    assert [bucket.take(1000.0) == 0 for _ in range(4)] == [True, True, True, False]


def test_whoever_waits_as_told_keeps_the_rate() -> None:
    bucket, now, taken = TokenBucket(rate=30, burst=1, now=0.0), 0.0, 0
    for _ in range(300):
        wait = bucket.take(now)
        taken += wait == 0
        now += wait
    assert taken == 150
    assert now == pytest.approx(5)
