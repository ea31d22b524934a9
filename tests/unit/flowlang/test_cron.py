"""When a schedule is due, over the days on which clocks are set, and what is refused."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.cron import Cron

RIGA, LORD_HOWE, SANTIAGO = "Europe/Riga", "Australia/Lord_Howe", "America/Santiago"


def local(expression: str, zone: str, after: str, count: int) -> list[str]:
    """The next moments in the zone's own time, with its offset."""
    begin = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return [at.astimezone(ZoneInfo(zone)).isoformat()[5:] for at in islice(Cron(expression, zone).after(begin), count)]


def test_the_fields_are_those_of_cron() -> None:
    assert local("30 9 * * MON-FRI", RIGA, "2026-11-20T12:00", 2) == ["11-23T09:30:00+02:00", "11-24T09:30:00+02:00"]
    assert local("*/20 * 1,15 * *", "UTC", "2026-11-14T23:50", 2) == ["11-15T00:00:00+00:00", "11-15T00:20:00+00:00"]
    assert local("0 8 L * *", "UTC", "2026-02-01T00:00", 1) == ["02-28T08:00:00+00:00"]


def test_a_time_that_the_clocks_leap_over_is_the_first_minute_that_there_is() -> None:
    """On 29 March 2026 Riga has no time from 03:00 to 04:00."""
    at = local("30 3 * * *", RIGA, "2026-03-28T12:00", 3)
    assert at == ["03-29T04:00:00+03:00", "03-30T03:30:00+03:00", "03-31T03:30:00+03:00"]


def test_a_time_that_there_is_twice_is_the_first_of_the_two() -> None:
    """On 25 October 2026 Riga has the time from 03:00 to 04:00 twice."""
    at = local("30 3 * * *", RIGA, "2026-10-24T12:00", 2)
    assert at == ["10-25T03:30:00+03:00", "10-26T03:30:00+02:00"]
    second = datetime(2026, 10, 25, 3, 10, tzinfo=ZoneInfo(RIGA), fold=1)
    assert next(Cron("30 3 * * *", RIGA).after(second)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


def test_one_of_every_hour_follows_the_time_that_passes() -> None:
    spring = local("0 * * * *", RIGA, "2026-03-29T01:30", 3)
    assert spring == ["03-29T02:00:00+02:00", "03-29T04:00:00+03:00", "03-29T05:00:00+03:00"]
    autumn = local("0 * * * *", RIGA, "2026-10-25T02:30", 3)
    assert autumn == ["10-25T03:00:00+03:00", "10-25T03:00:00+02:00", "10-25T04:00:00+02:00"]


@pytest.mark.parametrize(
    "expression",
    [
        "", "* * * *", "0 * * * * *", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "a * * * *",
        "*/0 * * * *", "5-1 * * * *", "0 0 31 2 *", "0 0 30 FEB *", "0 0 31 4,6 *", "1,2#2 * * * *", "* * * * MON#6",
        "* * * * 1#1/2", "* * LW-1 * *", "9" * 101, "0 0 1 1 *" + " " * 100, "\u0661 * * * *",
    ],
)  # fmt: skip
def test_what_is_none_or_is_never_due_is_refused_at_once(expression: str) -> None:
    began = time.thread_time()
    with pytest.raises(ValueError, match=r"\w"):
        Cron(expression, "UTC")
    assert time.thread_time() - began < 0.2


@pytest.mark.parametrize("expression", ["0 0 29 2 *", "0 0 * 2 MON#5", "0 0 29 2 */7", "59 23 31 12 *"])
def test_what_is_rarely_due_is_found_soon(expression: str) -> None:
    began = time.thread_time()
    assert next(Cron(expression, RIGA).after(datetime(2026, 3, 1, tzinfo=UTC)))
    assert time.thread_time() - began < 0.2


@pytest.mark.parametrize("zone", ["", "Riga", "../etc/passwd", "Europe/riga ", "x" * 300])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    with pytest.raises(ValueError, match="time zone"):
        Cron("0 0 * * *", zone)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high).map(str)
    return st.one_of(
        st.just("*"), number, st.lists(number, min_size=1, max_size=3).map(",".join), st.just(f"*/{high // 3}")
    )


EXPRESSIONS = st.tuples(field(0, 59), field(0, 23), st.just("*"), st.just("*"), field(0, 6)).map(" ".join)
SETTINGS = [datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 4, 4, tzinfo=UTC), datetime(2026, 10, 24, tzinfo=UTC)]


@given(
    EXPRESSIONS, st.sampled_from(["UTC", RIGA, LORD_HOWE, SANTIAGO]), st.sampled_from(SETTINGS), st.integers(0, 4000)
)
def test_moments_rise_and_are_the_same_from_wherever_one_looks(
    expression: str, zone: str, day: datetime, minutes: int
) -> None:
    cron, after = Cron(expression, zone), day + timedelta(minutes=minutes)
    found = list(islice(cron.after(after), 6))
    assert found == sorted(set(found))
    assert all(at > after and (at.second, at.microsecond) == (0, 0) for at in found)
    for earlier, later in pairwise(found):
        assert next(cron.after(earlier)) == later
        assert next(cron.after(later - timedelta(seconds=1))) == later


@given(st.text(alphabet="0123456789*/,-#LWMON ?@", max_size=60))
def test_whatever_is_written_is_refused_or_due(expression: str) -> None:
    began = time.thread_time()
    with contextlib.suppress(ValueError):
        next(Cron(expression, RIGA).after(SETTINGS[0]))
    assert time.thread_time() - began < 1
