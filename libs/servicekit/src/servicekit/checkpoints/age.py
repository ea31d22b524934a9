"""Whether the checkpoints are older than what was done with them (ADR-0030)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from servicekit.checkpoints.fence import topic_of
from servicekit.database import Connection
from servicekit.kafka.committed import Committed

_STANDING = "SELECT part, next_offset, incarnation FROM checkpoint WHERE topic = $1"


class Standing(NamedTuple):
    """A checkpoint as its row has it."""

    next_offset: int
    incarnation: str | None


class Behind(NamedTuple):
    """A partition whose checkpoint stands at `at` and was at `was` before."""

    part: int
    at: int
    was: int


async def standing(connection: Connection, topic: str) -> dict[int, Standing]:
    """Partition -> its checkpoint, of all that there are."""
    rows = await connection.fetch(_STANDING, topic)
    return {row["part"]: Standing(row["next_offset"], row["incarnation"]) for row in rows}


def behind(standing: Mapping[int, Standing], committed: Mapping[int, Committed]) -> list[Behind]:
    """The partitions that were further than their checkpoints say. One without a checkpoint stands at its beginning.

    Offsets of another log are not compared: a topic that was made anew is recovery's to find out, and after a repair that
    goes back in the same log (its incarnation has a higher number) the commits of before it say nothing.
    """
    found = []
    for part, was in sorted(committed.items()):
        at = standing.get(part, Standing(0, None))
        if at.next_offset < was.offset and _same_log(at.incarnation, was.incarnation):
            found.append(Behind(part, at.next_offset, was.offset))
    return found


def _same_log(now: str | None, before: str) -> bool:
    if now is None:
        return True
    return topic_of(now) == topic_of(before) and _repairs(now) <= _repairs(before)


def after(incarnation: str) -> str:
    """The incarnation of the same log under which sources are no repeats of what they were before."""
    return f"{topic_of(incarnation)}~{_repairs(incarnation) + 1}"


def _repairs(incarnation: str) -> int:
    number = incarnation.partition("~")[2]
    return int(number) if number.isdecimal() else 0
