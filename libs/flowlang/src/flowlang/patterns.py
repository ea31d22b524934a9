"""Authors' regular expressions: RE2, whose time grows with the text only, by as much as the pattern is large."""

from __future__ import annotations

from collections.abc import Callable

import re2  # type: ignore[import-untyped]

STEPS = 160
"""Steps of RE2's slowest way through a text (each place of the pattern at each character, 6 ns) that are a unit."""
_MOST_MEMORY = 1 << 20


class Pattern:
    """A compiled expression. Its classes are ASCII: `\\w` is `[0-9A-Za-z_]`; `\\pL` is any letter."""

    __slots__ = ("_places", "fullmatch", "search")

    def __init__(self, source: str) -> None:
        """Raises ValueError when it is not RE2, or too large."""
        try:
            compiled = re2.compile(source, _options())
        except re2.error as error:
            raise ValueError(f"not an RE2 expression: {error}") from error
        self._places = _places(source, compiled)
        self.search: Callable[[str], object | None] = compiled.search
        """Where it is in the text; None when it is not."""
        self.fullmatch: Callable[[str], object | None] = compiled.fullmatch
        """Whether the whole text is it; None when it is not."""

    def units(self, text: str) -> int:
        """Units of work (flowlang.work) that it may take on this text."""
        return 1 + self._places * len(text) // STEPS


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MOST_MEMORY
    return options


def _places(source: str, compiled: re2._Regexp) -> int:
    """How many places of the pattern a text may stand at together: its size without Unicode's tables."""
    options = _options()
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return int(re2.compile(source, options).programsize)
    except re2.error:  # It names characters beyond Latin-1.
        return int(compiled.programsize)


def compile_pattern(source: str) -> Pattern:
    """Raises ValueError when it is not RE2."""
    return Pattern(source)


def escape(text: str) -> str:
    """The expression that matches this text."""
    escaped: str = re2.escape(text)
    return escaped
