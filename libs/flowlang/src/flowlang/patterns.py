"""Authors' regular expressions: RE2, whose time grows with the text only, by as much as the pattern is large."""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]

from flowlang.work import Work

STEPS = 160
"""Steps of RE2's slowest way through a text (each place of the pattern at each character, 6 ns) that are a unit."""
UNITS_TO_MAKE = 20
UNITS_A_CHARACTER = 10
"""Of work (flowlang.work) to read it, where it is densest."""
_MOST_MEMORY = 1 << 20

Search = Callable[[str], object | None]


class Pattern:
    """A compiled expression. Its classes are ASCII: `\\w` is `[0-9A-Za-z_]`; `\\pL` is any letter."""

    __slots__ = ("_places", "_source", "fullmatch", "search")

    search: Callable[[str], object | None]
    """Where it is in the text; None when it is not."""
    fullmatch: Callable[[str], object | None]
    """Whether the whole text is it; None when it is not."""

    def __init__(self, source: str, *, later: bool = False) -> None:
        """`later`: it is read by `make`, before it is used. Raises ValueError when it is not RE2, or too large."""
        self._source, self._places = source, 0
        if not later:
            self._read()

    def _read(self) -> None:
        try:
            compiled = re2.compile(self._source, _options())
        except re2.error as error:
            raise ValueError(f"not an RE2 expression: {error}") from error
        self._places = _places(self._source, compiled)
        self.search, self.fullmatch = compiled.search, compiled.fullmatch

    def make(self, work: Work) -> None:
        """Make one that was to be read later ready to be used. One that cannot be read is in no text."""
        if self._places:
            return
        work.make(UNITS_TO_MAKE + len(self._source) * UNITS_A_CHARACTER)
        try:
            self._read()
        except ValueError:
            self.search = self.fullmatch = _nowhere
            self._places = 1

    def units(self, text: str) -> int:
        """Units of work (flowlang.work) that it may take on this text."""
        return 1 + self._places * len(text) // STEPS


def _nowhere(text: str) -> None:
    """What is in no text."""


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    return options


def _places(source: str, compiled: re2._Regexp) -> int:
    """How many places of the pattern a text may stand at together, at least one: its size without Unicode's tables."""
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return max(1, int(re2.compile(source, options).programsize))
    except re2.error:  # It names characters beyond Latin-1.
        return max(1, int(compiled.programsize))


def compile_pattern(source: str) -> Pattern:
    """Raises ValueError when it is not RE2."""
    return Pattern(source)


def searching(source: str) -> Search:
    """Where an expression of our own is in a text, None when it is not."""
    search: Search = re2.compile(source, _options()).search
    return search


def escape(text: str) -> str:
    """The expression that matches this text."""
    escaped: str = re2.escape(text)
    return escaped
