"""Authors' regular expressions: RE2, whose time grows with the text only."""

from __future__ import annotations

from typing import Protocol

import re2  # type: ignore[import-untyped]


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> object | None:
        """Where it is in the text; None when it is not."""

    def fullmatch(self, text: str) -> object | None:
        """Whether the whole text is it; None when it is not."""


def compile_pattern(source: str) -> Pattern:
    """Raises ValueError when it is not RE2."""
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        compiled: Pattern = re2.compile(source, options)
    except re2.error as error:
        raise ValueError(f"not an RE2 expression: {error}") from error
    return compiled


def escape(text: str) -> str:
    """The expression that matches this text."""
    escaped: str = re2.escape(text)
    return escaped
