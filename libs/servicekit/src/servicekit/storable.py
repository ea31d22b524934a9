"""What Postgres can store of what others sent: text without U+0000, whole numbers of 64 bits, moments that UTC can hold."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NUL = "\x00"
SHOWN_NUL = "\ufffd"
"""Stands where U+0000 was, which neither `text` nor `jsonb` holds."""
INTEGERS = range(-(2**63), 2**64)
"""What our JSON encoder writes as numbers."""


def storable(value: Any) -> Any:
    """A JSON value as `jsonb` takes it: U+0000 becomes U+FFFD, in names too; a number of more than 64 bits is text."""
    if isinstance(value, str):
        return value.replace(NUL, SHOWN_NUL)
    if isinstance(value, dict):
        return {storable(name): storable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [storable(each) for each in value]
    if isinstance(value, int) and value not in INTEGERS:
        return str(value)
    return value


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ValueError without an offset, or when UTC has no year for it (1 to 9999)."""
    if moment.tzinfo is None:
        raise ValueError("a time with its offset, such as …Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time whose year in UTC is 1 to 9999") from None


def moment_of(text: str) -> datetime:
    """An RFC 3339 time, in UTC. Raises ValueError as `in_utc`, or when it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("an RFC 3339 time") from None
    return in_utc(moment)
