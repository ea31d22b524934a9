"""One run of a template: the names it sees, the text it makes, the work that it may still do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from liquid.undefined import Undefined

from flowlang.work import Work

LONGEST_OUTPUT = 64 * 1024


class Failure(Exception):
    """The template cannot be rendered with these values; the text says why."""


class Rendering:
    """Names from the innermost: the loops' own, what was assigned, the roots."""

    __slots__ = (
        "_length",
        "_texts",
        "assigned",
        "encode",
        "filters",
        "loops",
        "missing",
        "muted",
        "roots",
        "stops",
        "work",
    )

    is_json: ClassVar = False
    """Then a text in quotes, which is the template's own, is told from data (OwnText)."""

    def __init__(
        self,
        roots: dict[str, Any],
        work: Work,
        encode: Callable[[str], str] | None,
        filters: dict[str, Callable[..., Any]],
    ) -> None:
        self.roots, self.work, self.encode, self.filters = roots, work, encode, filters
        self.assigned: dict[str, Any] = {}
        self.loops: list[dict[str, Any]] = []
        self.stops: dict[str, int] = {}
        """Where loops over a list ended, for `offset: continue`."""
        self.missing: list[str] = []
        self.muted = False
        """In a block of nothing but spaces and assignments, which writes nothing."""
        self._texts: list[str] = []
        self._length = 0

    def look_up(self, name: str) -> Any:
        """A name's value. Raises KeyError."""
        for names in reversed(self.loops):
            if name in names:
                return names[name]
        return self.assigned[name] if name in self.assigned else self.roots[name]

    def write(self, text: str) -> None:
        """Raises Failure past the longest text."""
        if self.muted:
            return
        self._length += len(text) if text.isascii() else len(text.encode())
        if self._length > LONGEST_OUTPUT:
            raise Failure(f"a rendered text has at most {LONGEST_OUTPUT} bytes")
        self._texts.append(text)

    def put(self, value: Any) -> None:
        """Write what a merge tag shows. Raises Failure."""
        text = show(value)
        self.write(self.encode(text) if self.encode else text)

    def put_missing(self, name: str) -> None:
        """What is not there, the path of a merge tag that begins with this name: nothing is shown. Raises Failure."""

    def text(self) -> str:
        """All that was written."""
        return "".join(self._texts)


def show(value: Any) -> str:
    """A value as a person reads it: texts as they are, lists joined, objects as JSON, nothing for null. Raises Failure."""
    if isinstance(value, str):
        return value
    if value is None or type(value) is Undefined:  # By type(): Undefined is a Mapping, and isinstance() asks for long.
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return _joined(value)
    if isinstance(value, dict):
        try:
            return orjson.dumps(value).decode()
        except TypeError as error:
            raise Failure(f"an object that cannot be shown: {error}") from error
    return str(value)


def _joined(items: list[Any] | tuple[Any, ...]) -> str:
    """The texts of all items, those of lists in lists among them: by a stack of its own, however deep they are."""
    shown: list[str] = []
    open_lists = [iter(items)]
    while open_lists:
        for item in open_lists[-1]:
            if isinstance(item, (list, tuple)):
                open_lists.append(iter(item))
                break
            shown.append(show(item))
        else:
            open_lists.pop()
    return "".join(shown)
