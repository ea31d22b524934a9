"""How far a record's writer had read the registry, as its headers say it (guarantees.md 7.3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from contracts.cloudevents import REGISTRY_INCARNATION, REGISTRY_OFFSET, Headers
from servicekit.kafka.records import DIGITS


class Stamp(NamedTuple):
    """`offset`: of the last record of the registry's topic that was read, -1 for none. `incarnation`: that topic's id, None
    where the writer did not know it: an earlier release, or a Kafka without such ids."""

    offset: int = -1
    incarnation: str | None = None

    def headers(self) -> Headers:
        """As a record carries it."""
        made = [(REGISTRY_OFFSET, b"%d" % self.offset)]
        if self.incarnation is not None:
            made.append((REGISTRY_INCARNATION, self.incarnation.encode()))
        return made


def stamp_of(headers: Mapping[str, str]) -> Stamp:
    """The stamp in a record's headers; one of nothing when there is none. Raises ValueError when it is no number."""
    return _stamp(headers.get(REGISTRY_OFFSET, "-1"), headers.get(REGISTRY_INCARNATION))


@lru_cache(maxsize=64)  # The records of a batch say the same.
def _stamp(text: str, incarnation: str | None) -> Stamp:
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= DIGITS):
        raise ValueError(f"{REGISTRY_OFFSET} is not a number")
    return Stamp(int(text), incarnation)
