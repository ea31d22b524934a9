"""Lines that an outage repeats."""

from __future__ import annotations

import logging

from structlog.testing import capture_logs

from servicekit.observability.repeats import QUIET_SECONDS, OncePerMinute, Repeated


def test_a_librarys_line_is_said_again_after_a_minute() -> None:
    once = OncePerMinute("Topic %s ")
    record = logging.LogRecord("aiokafka", logging.ERROR, "", 0, "Topic %s not found", ("t",), None)
    assert once.filter(record)
    assert not once.filter(record)
    record.created += QUIET_SECONDS
    assert once.filter(record)


def test_a_warning_of_ours_is_said_at_once_and_then_once_a_minute_with_how_often_it_came() -> None:
    now = 7.0
    repeated = Repeated("timers.held", lambda: now)
    with capture_logs() as lines:
        for now in (7.0, 7.5, 8.0, 66.9, 67.0, 67.5, 200.0):
            repeated.warn(error=f"at {now}")
    assert [(line["event"], line["times"], line["error"]) for line in lines] == [
        ("timers.held", 1, "at 7.0"), ("timers.held", 4, "at 67.0"), ("timers.held", 2, "at 200.0")
    ]  # fmt: skip
