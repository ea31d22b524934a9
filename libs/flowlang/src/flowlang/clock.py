"""Times and durations as text: RFC 3339 UTC moments, ISO 8601 durations of weeks, days, hours, minutes and seconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from contracts.cloudevents import rfc3339_ms

LONGEST = timedelta(days=366)
NO_TIME = timedelta()
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_DURATION = re.compile(r"P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,7})M)?(?:(\d{1,9})S)?)?")


def duration(text: str) -> timedelta:
    """`PT24H`, `P2D` as a timedelta. Raises ValueError when it is not one, is zero or longer than a year."""
    found = _DURATION.fullmatch(text)
    if not found or not any(found.groups()):
        raise ValueError("write an ISO 8601 duration such as PT30S, PT24H or P2D")
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta(0) < length <= LONGEST:
        raise ValueError("a duration is longer than zero and not longer than P366D")
    return length


@lru_cache(maxsize=256)  # The events of a batch share their milliseconds.
def moment(text: str) -> datetime:
    """An RFC 3339 time as an aware datetime. Raises ValueError."""
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


@lru_cache(maxsize=256)
def after(now: str, length: timedelta) -> str:
    """`now` plus a duration, RFC 3339 UTC with milliseconds."""
    return rfc3339_ms((moment(now) + length - _EPOCH) // _MILLISECOND)
