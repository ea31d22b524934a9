"""Times as text."""

from __future__ import annotations

from datetime import timedelta

import pytest

from contracts.cloudevents import rfc3339_ms
from flowlang.clock import after


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
        (1_700_000_000_000, "2023-11-14T22:13:20.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_times_are_utc_with_milliseconds(ms: int, text: str) -> None:
    assert rfc3339_ms(ms) == text


@pytest.mark.parametrize(
    "now", ["2026-11-21T23:59:59.500Z", "2026-11-22T01:59:59.500+02:00", "2026-11-21T23:59:59.500999"]
)
def test_a_time_and_a_duration_make_a_time_in_utc(now: str) -> None:
    assert after(now, timedelta(seconds=1)) == "2026-11-22T00:00:00.500Z"
