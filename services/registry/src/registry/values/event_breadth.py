"""To how many endpoints of a project one event may go. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from contracts.registry import Endpoint

EVERY_TYPE, EVERY_BOT = "*", ""


def breadth(endpoints: Iterable[Endpoint]) -> int:
    """The most endpoints that chose the same type of event of the same bot, disabled ones included."""
    by_kind: dict[str, Counter[str]] = {}
    for endpoint in endpoints:
        for kind in set(endpoint.events):
            by_kind.setdefault(kind, Counter()).update(endpoint.bots or (EVERY_BOT,))
    every = by_kind.pop(EVERY_TYPE, Counter())
    return max((_most(every + counts) for counts in by_kind.values()), default=_most(every))


def _most(of_bots: Counter[str]) -> int:
    return of_bots[EVERY_BOT] + max((count for bot, count in of_bots.items() if bot != EVERY_BOT), default=0)
