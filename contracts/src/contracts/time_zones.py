"""The time zones that people, flows and broadcasts may name."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones

_NOT_A_PLACE = {"localtime", "Factory"}
"""The first is whatever this machine is set to, the second stands for none at all."""


@cache
def time_zones() -> frozenset[str]:
    """All that the IANA's database has, looked for in the file system once."""
    return frozenset(available_timezones() - _NOT_A_PLACE)


def checked_time_zone(value: str) -> str:
    """The same. Raises ValueError."""
    if value not in time_zones():
        raise ValueError("a time zone by its name, such as Europe/Riga")
    return value
