"""What templates and expressions can read while they run."""

from __future__ import annotations

from typing import Any, Protocol

from flowlang.work import Work

ROOTS = frozenset(("user", "contact", "memory", "temp", "bot", "event", "system"))
"""The names a merge tag or a condition may begin with; `secret` stands only in auth headers, never here."""


class Scopes(Protocol):
    """Gives the value of a root name, takes note of what was read and is not there, and says how much may be done."""

    @property
    def work(self) -> Work:
        """What the programs of this turn, event or request may still do, all together."""

    def scope(self, name: str) -> Any:
        """The value of a root. Raises NodeError when it may not be touched (memory without a person).

        Where there is a person, that of `in_segment` is a function: whether they are in the segment of this name.
        """

    def missing(self, name: str) -> None:
        """`name` was read and has no value. Raises NodeError where the flow is strict."""


class Only:
    """Some roots of another scope; the rest are as if they were not there."""

    def __init__(self, inner: Scopes, *roots: str) -> None:
        self._inner = inner
        self._roots = roots

    @property
    def work(self) -> Work:
        """The other scope's."""
        return self._inner.work

    def scope(self, name: str) -> Any:
        """The root's value, or an empty object where it may not be seen."""
        return self._inner.scope(name) if name in self._roots else {}

    def missing(self, name: str) -> None:
        """Noted by the other scope."""
        self._inner.missing(name)
