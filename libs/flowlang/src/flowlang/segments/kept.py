"""Filters that were read, to be asked again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from flowlang.expressions.expression import UNITS_A_CHARACTER
from flowlang.segments.filter import SegmentFilter

MOST_KEPT = 256


class KeptFilters:
    """The last used ones, by their sources."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, SegmentFilter | None] = OrderedDict()

    def filter(self, source: str, make: Callable[[int], None]) -> SegmentFilter | None:
        """The filter; None for one that an earlier release took and this one refuses.

        `make` is told how many units of work (flowlang.work) it takes to read it, and may raise.
        """
        if source not in self._kept:
            make(1 + len(source) * UNITS_A_CHARACTER)
            self._kept[source] = _read(source)
            if len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(source)
        return self._kept[source]


def _read(source: str) -> SegmentFilter | None:
    try:
        return SegmentFilter(source)
    except ValueError:
        return None
