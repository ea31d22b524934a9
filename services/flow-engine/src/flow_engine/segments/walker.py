"""What a worker process does for a walk: it asks a filter of contacts, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from flowlang.segments.filter import SegmentFilter
from flowlang.work import MOST_OF_A_PROGRAM, TooCostly, Work

TARGET = f"{__name__}:make"
MOST_OF_A_TASK = 200_000
"""Units of work (flowlang.work) that are done before the rest of the contacts is left to the next task."""

read_filter = lru_cache(maxsize=256)(SegmentFilter)
"""A filter by its source. Raises ValueError."""


class Ask(NamedTuple):
    """Of which of these contacts, as SegmentFilter.seen gives them, the filter is true at this time."""

    source: str
    now: datetime
    people: Sequence[dict[str, Any]]


def make(settings: None) -> Callable[[Ask, Callable[[], None]], list[bool]]:
    """The target of servicekit.workers."""
    return ask


def ask(task: Ask, progress: Callable[[], None]) -> list[bool]:
    """For each of the contacts, or for as many as there was work for. Of whom it costs too much it is not true."""
    filter, work, found = read_filter(task.source), Work(MOST_OF_A_TASK), list[bool]()
    for person in task.people:
        if work.left < MOST_OF_A_PROGRAM:
            break
        work.begin()
        try:
            found.append(filter.holds(person, task.now, work))
        except TooCostly:
            found.append(False)
    return found
