"""A segment's filter: read and checked once, asked of one contact after the other, each step counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flowlang.cel.evaluation import NODES, Scene, compiled, nodes_outside_loops
from flowlang.cel.mistakes import hint
from flowlang.cel.parser import Node, parse
from flowlang.cel.tokens import SyntaxFault, Token, tokens
from flowlang.expressions.trees import all_nodes, is_cheap, reads, refuse_costly
from flowlang.segments import mistakes
from flowlang.segments.fields import IN_TURNS, fitting
from flowlang.work import TooCostly, Work

LONGEST_FILTER = 2000


class SegmentFilter:
    """CEL over `contact` and `now`, a time. `tree` is for who makes something else of it; `fields` are those that it reads.

    `is_cheap`: it has no loop and no pattern. `is_for_turns`: it asks for nothing that a turn does not know.
    """

    __slots__ = ("_step", "_units", "_variables", "fields", "is_cheap", "is_for_turns", "source", "tree")

    def __init__(self, source: str) -> None:
        """Raises ValueError, with a sentence that says where, when it does not parse, asks for what there is not, or could
        cost too much."""
        self.source = source
        words, self.tree = _read(source)
        mistakes.refuse(source, words, self.tree)
        refuse_costly(self.tree)
        paths = tuple(reads(self.tree, ("contact",)))
        self.fields = frozenset(path[1] for path in paths)
        of_variables = [path for path in paths if path[1] == "variables"]
        self._variables = frozenset(path[2] for path in of_variables) if all(map(_names_one, of_variables)) else None
        self.is_cheap = all(map(is_cheap, all_nodes(self.tree)))
        self.is_for_turns = self.fields <= IN_TURNS
        self._step = compiled(self.tree)
        self._units = 1 + nodes_outside_loops(self.tree) // NODES

    def holds(self, contact: Mapping[str, Any], now: datetime, work: Work) -> bool:
        """Whether it is true of a contact, given by its fields (flowlang.segments.fields). Raises TooCostly."""
        work.charge(self._units)
        try:
            return self._step(Scene({"contact": self.seen(contact), "now": now}, work)) is True
        except TooCostly:
            raise
        except Exception:  # noqa: BLE001 (whatever a user's program ends with is its own failure)
            return False

    def seen(self, contact: Mapping[str, Any]) -> dict[str, Any]:
        """What it reads of the contact, and no more: a contact may have more variables than an expression may see."""
        seen = {name: fitting(contact[name]) for name in self.fields if name in contact and name != "variables"}
        if "variables" in self.fields:
            kept = contact["variables"]
            if self._variables is not None:
                kept = {name: fitting(kept[name]) for name in self._variables if name in kept}
            seen["variables"] = kept
        return seen


def _names_one(path: tuple[str, ...]) -> bool:
    return len(path) > 2


def _read(source: str) -> tuple[list[Token], Node]:
    if len(source) > LONGEST_FILTER:
        raise ValueError(f"a filter has at most {LONGEST_FILTER} characters")
    try:
        words = tokens(source)
        return words, parse(source, words)
    except SyntaxFault as fault:
        raise ValueError(f"{fault}{hint(source)}") from fault
