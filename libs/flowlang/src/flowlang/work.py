"""How much the programs of a turn may do: templates, expressions, paths and patterns are charged for each step they make.

No program is interrupted from outside: it holds the interpreter's lock while it runs, and so does everybody's process. So
each engine counts what it does while it does it, and stops itself. A unit is about a microsecond of the slowest thing
that is charged one.

What is not cheap by its form passes a gate before it begins. Whoever runs the turn makes the gate: it may send what comes
to it elsewhere, or note that it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST_OF_A_PROGRAM = 10_000
MOST_OF_A_TURN = 100_000
MORE_AFTER_AN_ERROR = 10_000
"""What `on_error` has when the turn's work is spent."""
CHARACTERS = 256
"""Characters of text that are a unit."""
ITEMS = 8
"""Items of a list or object that are a unit."""


class TooCostly(Exception):
    """The work is spent. Each engine tells it as its own NodeError."""


class Elsewhere(BaseException):
    """The turn has come to something that is not cheap by its form. No `except Exception` around a program may catch it."""


def open_gate() -> None:
    """Lets everything pass."""


def elsewhere() -> None:
    """The gate where only what is cheap may run: the turn is given up, and made again elsewhere."""
    raise Elsewhere


class Work:
    """The units that are left. `begin` starts a program, which may have a part of them only."""

    __slots__ = ("_floor", "left", "pass_gate")

    def __init__(self, units: int = MOST_OF_A_TURN, gate: Callable[[], None] = open_gate) -> None:
        """`gate` may raise NodeError, which ends what would begin, or an exception of who runs the turn."""
        self.left = units
        self.pass_gate = gate
        """To be called before what nothing bounds but its own code: steps and triggers of other packages."""
        self._floor = 0

    def begin(self) -> None:
        """A program starts: from here it may have MOST_OF_A_PROGRAM, and not more than is left."""
        self.pass_gate()
        self._floor = max(0, self.left - MOST_OF_A_PROGRAM)

    def charge(self, units: int) -> None:
        """Count work, before it is done where its size is known. Raises TooCostly, and what is refused is not counted."""
        left = self.left - units
        if left < self._floor:
            raise TooCostly("it costs too much: less data, fewer loops, or shorter texts")
        self.left = left

    def charge_turn(self, units: int) -> None:
        """Count work of a program that is cheap by its form, and is not begun. Raises TooCostly."""
        left = self.left - units
        if left < 0:
            raise TooCostly("the programs of this turn have done all that they may")
        self.left = left

    def charge_for(self, value: Any) -> None:
        """Count a value with all that is in it, each place for itself: one text in ten places is ten. Raises TooCostly."""
        if type(value) is str:
            self.charge(1 + len(value) // CHARACTERS)
        elif isinstance(value, (dict, list, tuple)):
            self._charge_for_all(value)
        elif isinstance(value, str):
            self.charge(1 + len(value) // CHARACTERS)
        else:
            self.charge(1)

    def _charge_for_all(self, value: Any) -> None:
        waiting = [value]
        while waiting:
            one = waiting.pop()
            self.charge(1 + len(one) // ITEMS)
            for item in one.values() if isinstance(one, dict) else one:
                if isinstance(item, str):
                    if len(item) >= CHARACTERS:
                        self.charge(len(item) // CHARACTERS)
                elif isinstance(item, (dict, list, tuple)):
                    waiting.append(item)
