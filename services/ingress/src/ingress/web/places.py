"""Which handler answers which row of the route table, and how a request's path finds its row.

A router's regular expressions cost more than the rest of a request's parsing, so paths are matched by their first
segment and their number of segments.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from contracts.routes import Route, bind
from ingress.wire.http import Answer, Request

Handler = Callable[[Request], Awaitable[Answer | None]]
"""Answers a request; None when it has sent its own response (a stream)."""


@dataclass(slots=True)
class Place:
    """One path: its literal segments behind the first by their index, and what answers each method."""

    name: str
    literals: tuple[tuple[int, str], ...]
    methods: dict[str, tuple[Route, Handler]] = field(default_factory=dict)
    first: Handler | None = None
    """Asked before the method is looked at: what every answer of these paths needs, or a whole answer."""


class Places:
    """All paths of ingress. Raises UnboundRoute when handlers and rows do not match."""

    def __init__(
        self, table: Sequence[Route], handlers: Mapping[str, Handler], first: Mapping[str, Handler] | None = None
    ) -> None:
        """`handlers` by the names of their rows; `first` by the first segment after /v1."""
        self._places: dict[tuple[str, int], list[Place]] = {}
        for row, handler in bind("ingress", handlers, table):
            place = self._place(row)
            place.methods |= dict.fromkeys(row.methods, (row, handler))
            place.first = (first or {}).get(row.prefix)

    def find(self, name: str, parts: list[str]) -> Place | None:
        """The place of a path that was split behind its first slash: `["v1", "run", "<trigger>"]`."""
        for place in self._places.get((name, len(parts)), ()):
            for index, text in place.literals:
                if parts[index] != text:
                    break
            else:
                return place
        return None

    def _place(self, row: Route) -> Place:
        parts = row.path.split("/")[1:]
        literals = tuple((i, part) for i, part in enumerate(parts) if i > 1 and not part.startswith("{"))
        places = self._places.setdefault((row.prefix, len(parts)), [])
        for place in places:
            if place.literals == literals:
                return place
        places.append(Place(row.prefix, literals))
        return places[-1]
