"""How much the programs of a turn may do: templates, expressions, paths and patterns are charged for each step they make.

No program is interrupted from outside: it holds the interpreter's lock while it runs, and so does everybody's process. So
each engine counts what it does while it does it, and stops itself. A unit is about a microsecond of the slowest thing
that is charged one.

What is not cheap by its form passes a gate before it begins. Whoever runs the turn makes the gate: it may send what comes
to it elsewhere, or note that it begins. What is cheap is so up to a size: past MOST_HERE units of it the turn comes to the gate, too.

Parts of a flow are made ready to run when a turn comes to them for the first time, which costs that turn nothing of its
work: it would do less than the next one. Whoever runs the turn is told before, and may have it made elsewhere, or later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

MOST_OF_A_PROGRAM = 10_000
MOST_OF_A_TURN = 100_000
MORE_AFTER_AN_ERROR = 10_000
"""What `on_error` has when the turn's work is spent."""
MOST_HERE = 10_000
"""Of what is cheap by its form: units that a turn may do before it comes to the gate."""
MOST_OF_A_SHORT_PROGRAM = 1_000
"""Of these, what a program may have that is cheap by its form and is counted while it runs."""
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


def make_at_once(units: int) -> None:
    """Lets everything be made ready."""


def elsewhere() -> None:
    """The gate where only what is cheap may run: the turn is given up, and made again elsewhere."""
    raise Elsewhere


class Work:
    """The units that are left. `begin` starts a program, which may have a part of them only."""

    __slots__ = ("_floor", "_here", "left", "make", "pass_gate")

    def __init__(
        self,
        units: int = MOST_OF_A_TURN,
        gate: Callable[[], None] = open_gate,
        make: Callable[[int], None] = make_at_once,
    ) -> None:
        """`gate` may raise NodeError, which ends what would begin, or an exception of who runs the turn; so may `make`."""
        self.left = units
        self.pass_gate = gate
        """To be called before what nothing bounds but its own code: steps and triggers of other packages."""
        self.make = make
        """To be called before a part of a flow is made ready to run, with the units that this takes."""
        self._floor = 0
        self._here = max(0, units - MOST_HERE)

    def begin(self) -> None:
        """A program starts: from here it may have MOST_OF_A_PROGRAM, and not more than is left."""
        self.pass_gate()
        self._floor = max(0, self.left - MOST_OF_A_PROGRAM)

    def begin_short(self) -> None:
        """A program starts that is cheap by its form. Who meets TooCostly begins it as any other."""
        self._floor = max(self._here, self.left - MOST_OF_A_SHORT_PROGRAM)

    def charge(self, units: int) -> None:
        """Count work, before it is done where its size is known. Raises TooCostly, and what is refused is not counted."""
        left = self.left - units
        if left < self._floor:
            raise TooCostly("it costs too much: less data, fewer loops, or shorter texts")
        self.left = left

    def charge_turn(self, units: int) -> None:
        """Count work of a program that is cheap by its form, and is not begun. Raises TooCostly."""
        left = self.left - units
        if left < self._here:
            self._come_to_gate(left)
        self.left = left

    def _come_to_gate(self, left: int) -> None:
        if left < 0:
            raise TooCostly("the programs of this turn have done all that they may")
        if self._here:
            self._here = 0
            self.pass_gate()

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
