"""The names that an endpoint's filter and template may read: those of events, whatever their type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from contracts.event_data import BotRef, EventData
from contracts.event_types import EVENTS
from contracts.people import ContactView
from flowlang.names import Nearest

_Names = Mapping[str, Any]
"""Name -> the names below it; None: whatever is below it is not known."""
_PLAIN = re.compile(r"[\w-]+")
_OF_EVERY_VALUE = frozenset(("size", "first", "last"))
"""What Liquid offers of each."""

_CONTACT: _Names = dict.fromkeys(ContactView.model_fields)
_BOT: _Names = dict.fromkeys(BotRef.model_fields)
_DATA: _Names = (
    dict.fromkeys(EventData.model_fields)
    | dict.fromkeys(name for kind in EVENTS.values() for name in kind.sample)
    | {"title": None, "contact": _CONTACT, "bot": _BOT}
)
KNOWN: _Names = {
    "event": {"type": None, "timestamp": None, "title": None, "data": _DATA},
    "contact": _CONTACT,
    "user": _CONTACT,
    "bot": _BOT,
}


def refuse_unknown(field: str, reads: Iterable[tuple[str, ...]]) -> None:
    """Raises ValueError for the first path that no event has, with the field and the nearest name that one has."""
    for path in reads:
        unknown = _unknown(path)
        if unknown:
            near = Nearest(_all(KNOWN)).to(unknown)
            raise ValueError(f"the {field} reads {unknown!r}, which no event has; the nearest known name is {near!r}")


def _unknown(path: tuple[str, ...]) -> str | None:
    """The path up to the first name that is not known; None when all are."""
    names: _Names | None = KNOWN
    for place, name in enumerate(path):
        if names is None or name in _OF_EVERY_VALUE or not _PLAIN.fullmatch(name):
            return None
        if name not in names:
            return ".".join(path[: place + 1])
        names = names[name]
    return None


def _all(names: _Names, before: str = "") -> Iterator[str]:
    for name, below in names.items():
        yield before + name
        if below is not None:
            yield from _all(below, f"{before}{name}.")
