"""Conditions and computed values: CEL, parsed once, run with each step counted.

What is refused when it is saved is judged on the tree; what it costs is counted on the data while it runs.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flowlang.cel.evaluation import IN_SEGMENT, NODES, Scene, Step, compiled, nodes_outside_loops, plain
from flowlang.cel.functions import OFFERED
from flowlang.cel.mistakes import hint
from flowlang.cel.parser import Node, parse
from flowlang.cel.tokens import SyntaxFault, Token, tokens
from flowlang.cel.values import CelError, Missing
from flowlang.expressions.arguments import Given, given
from flowlang.expressions.comparisons import comparison
from flowlang.expressions.operands import Operands, operands, taken_for_true
from flowlang.expressions.scopes import ROOTS, Scopes
from flowlang.expressions.trees import Reference, all_nodes, free_names, is_cheap, reads, refuse_costly, segments_of
from flowlang.names import Nearest
from flowlang.problems import NodeError
from flowlang.work import TooCostly, Work

LONGEST_SOURCE, LONGEST_SHORT = 2000, 160
UNITS_A_CHARACTER = 12
"""Of work (flowlang.work) to parse it, where it is densest."""


class Expression:
    """A CEL expression. For the checker: `reads` are the paths it reads, `compares` what it takes together, `tests` what it
    takes for true or false, `given` what its functions are given, `segments` the names that it asks `in_segment` for; `hint` is
    said about hyphens in names."""

    __slots__ = (
        "_comparison", "_has_person", "_is_short", "_roots", "_step", "_units", "compares", "given", "hint", "reads", "segments",
        "source", "tests",
    )  # fmt: skip

    def __init__(
        self, source: str, *, decides: bool = False, later: bool = False, short: bool = False, has_person: bool = False
    ) -> None:
        """`decides`: it is to be true or false. `later`: it is parsed when it is first evaluated, and fails then if it is wrong.
        `short`: where it is cheap by its form (`may_be_short`, and no loop or pattern in it) it passes no gate. `has_person`: it
        may ask whether the person is in a segment.

        Raises ValueError, with a sentence, when it does not parse or could cost too much.
        """
        self.source, self._has_person = source, has_person
        self._is_short: bool | None = None if short and may_be_short(source) else False
        """None: not looked at."""
        self._comparison = comparison(source) if len(source) <= LONGEST_SOURCE else None
        self._step: Step | None = None
        self._units = 1
        self._roots: tuple[str, ...] = ()
        self.reads: tuple[Reference, ...] = ()
        self.compares: tuple[Operands, ...] = ()
        self.tests: tuple[Reference | str, ...] = ()
        self.given: tuple[Given, ...] = ()
        self.segments: tuple[str, ...] = ()
        self.hint: str | None = None
        if not later:
            self._parse(decides=decides)

    def _parse(self, *, decides: bool = False) -> None:
        words, tree = self._read()
        self.hint = _hyphen_hint(words)
        self.reads = tuple(reads(tree, ROOTS))
        self.compares, self.tests = tuple(operands(tree)), tuple(taken_for_true(tree, whole=decides))
        self.given = tuple(given(tree))
        self._make_ready(tree)

    def _read(self) -> tuple[list[Token], Node]:
        if len(self.source) > LONGEST_SOURCE:
            raise ValueError(f"a condition has at most {LONGEST_SOURCE} characters")
        try:
            words = tokens(self.source)
            return words, parse(self.source, words)
        except SyntaxFault as fault:
            raise ValueError(f"{fault}{hint(self.source)}") from fault

    def _make_ready(self, tree: Node) -> None:
        self._roots = tuple(sorted(free_names(tree)))
        self._refuse_unknown(tree)
        refuse_costly(tree)
        self.segments = segments_of(tree)
        if self.segments:
            self._roots += (IN_SEGMENT,)
        self._step = compiled(tree)
        self._units = 1 + nodes_outside_loops(tree) // NODES

    def _refuse_unknown(self, tree: Node) -> None:
        for name in self._roots:
            if name not in ROOTS:
                known = f"; a name begins with one of {', '.join(sorted(ROOTS))}; the nearest is {Nearest(ROOTS).to(name)!r}"
                hint = f". {self.hint}" if self.hint else known
                raise ValueError(f"there is no {name!r}{hint}")
        for node in all_nodes(tree):
            if node.kind == "call" and node.value == IN_SEGMENT:
                if not self._has_person:
                    raise ValueError(f"{IN_SEGMENT}() is for the conditions of flows")
            elif node.kind in ("call", "method") and node.value not in OFFERED:
                raise ValueError(f"there is no function {node.value!r}; there are: {', '.join(sorted(OFFERED))}")

    def evaluate(self, scopes: Scopes) -> Any:
        """The value, as plain JSON; None when something it reads is not there (and that is noted).

        Raises NodeError for an error of the expression itself, or when it does too much.
        """
        if self._comparison is not None:
            decided = self._comparison.decide(scopes.scope(self._comparison.root))
            if decided is not None:
                return decided
        work = scopes.work
        if self._is_short is None:
            self._look_at_form(work)
        if self._is_short:
            work.begin_short()
            with suppress(TooCostly):
                return self._value(scopes)
        work.begin()
        if self._step is None:
            self._parse_now(work)
        try:
            return self._value(scopes)
        except TooCostly as error:
            raise NodeError("expression-too-costly", f"{error} (in {self.source[:60]!r})") from error

    def _value(self, scopes: Scopes) -> Any:
        """Raises TooCostly, and NodeError for whatever else it ends with."""
        work, values = scopes.work, {name: scopes.scope(name) for name in self._roots}
        try:
            work.charge(self._units)
            return plain(self._step(Scene(values, work)), work)  # type: ignore[misc]
        except (TooCostly, NodeError):
            raise
        except Missing as error:
            missing = f"{error} in {self.source[:80]!r}"
        except Exception as error:  # Whatever a user's program ends with is its own failure.
            detail = str(error)[:200] if isinstance(error, CelError) else type(error).__name__
            raise NodeError("expression", f"{detail} (in {self.source[:60]!r})") from error
        scopes.missing(missing)
        return None

    def _look_at_form(self, work: Work) -> None:
        """Make it ready if it is cheap. One that is not, or is none at all, is left to who is behind the gate."""
        work.make(1 + len(self.source) * UNITS_A_CHARACTER)
        self._is_short = False
        try:
            _, tree = self._read()
            if all(map(is_cheap, all_nodes(tree))):
                self._make_ready(tree)
                self._is_short = True
        except ValueError:
            return

    def _parse_now(self, work: Work) -> None:
        work.make(1 + len(self.source) * UNITS_A_CHARACTER)
        try:
            self._make_ready(self._read()[1])
        except ValueError as error:
            raise NodeError("expression", f"{error} (in {self.source[:60]!r})") from error


def may_be_short(source: str) -> bool:
    """Whether an expression is so short that it is worth while to look at its form."""
    return len(source) <= LONGEST_SHORT


def _hyphen_hint(words: list[Token]) -> str | None:
    """`memory.favourite-thing`, written without spaces, may be meant as one name."""
    for place in range(len(words) - 4):
        root, dot, first, minus, second = words[place : place + 5]
        shape = root.text in ROOTS and root.text != "system" and (dot.text, minus.text) == (".", "-")
        names = first.kind == second.kind == "name" and first.end == minus.start and minus.end == second.start
        if shape and names:
            return f'in a condition `-` is minus: write {root.text}["{_whole_name(words, place + 2)}"]'
    return None


def _whole_name(words: list[Token], place: int) -> str:
    name = words[place].text
    while words[place + 1].text == "-" and words[place + 2].kind == "name":
        name += "-" + words[place + 2].text
        place += 2
    return name
