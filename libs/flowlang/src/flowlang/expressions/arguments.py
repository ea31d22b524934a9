"""What functions are given, for the checker: what a call takes is known, and so are literals and declared variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flowlang.cel.parser import Node
from flowlang.expressions.operands import operand

_TEXT, _COUNTED, _NUMBER = ("string",), ("string", "array", "object"), ("string", "number")
_CALLS = {
    "size": _COUNTED, "int": _NUMBER, "uint": _NUMBER, "double": _NUMBER, "string": ("string", "number", "boolean"),
    "bool": ("string", "boolean"), "timestamp": _TEXT, "duration": _TEXT,
}  # fmt: skip
"""What each function takes, of the types that variables have; an integer is a number."""
_METHODS = {"size": _COUNTED} | dict.fromkeys(("contains", "startsWith", "endsWith", "matches"), _TEXT)
"""What a method is called on, and takes."""
_OF_TIMES = "get"
"""How the methods of times and durations begin: no variable has such a type."""
_MADE = {"list": "array", "map": "object"}


class Given(NamedTuple):
    """To `function`, which takes `wanted`, is given `what`: `memory.plan` of a variable, or a literal's type."""

    function: str
    wanted: tuple[str, ...]
    what: tuple[str, str] | str
    is_subject: bool
    """It is what the method is called on."""


def given(tree: Node, bound: frozenset[str] = frozenset()) -> Iterator[Given]:
    """All of an expression of which something is known."""
    wanted = _wanted(tree)
    for place, child in enumerate(tree.children):
        inside = bound | {tree.value[1]} if tree.kind == "loop" and place else bound
        if wanted is not None and (what := _MADE.get(child.kind) or operand(child, inside)) is not None:
            yield Given(tree.value, wanted, what, tree.kind == "method" and not place)
        yield from given(child, inside)


def _wanted(node: Node) -> tuple[str, ...] | None:
    if node.kind == "call":
        return _CALLS.get(node.value)
    if node.kind != "method":
        return None
    return () if node.value.startswith(_OF_TIMES) else _METHODS.get(node.value)
