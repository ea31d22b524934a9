"""What an expression compares and reckons with, for the checker: declared variables have types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from flowlang.cel.parser import Node
from flowlang.expressions.scopes import ROOTS

_SIGNS = frozenset(("==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%"))
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number"}


class Operands(NamedTuple):
    """Both sides of a sign: `memory.plan` of a variable, a literal's type, or None for anything else."""

    sign: str
    left: tuple[str, str] | str | None
    right: tuple[str, str] | str | None


def operands(tree: Node, bound: frozenset[str] = frozenset()) -> Iterator[Operands]:
    """Of all signs of an expression of which both sides are known. Names that loops bind are no variables."""
    if tree.kind == "binary" and tree.value in _SIGNS:
        left, right = (_operand(child, bound) for child in tree.children)
        if left is not None and right is not None:
            yield Operands(tree.value, left, right)
    for place, child in enumerate(tree.children):
        inside = bound | {tree.value[1]} if tree.kind == "loop" and place else bound
        yield from operands(child, inside)


def _operand(node: Node, bound: frozenset[str]) -> tuple[str, str] | str | None:
    if node.kind == "literal":
        return _TYPES.get(type(node.value))
    if node.kind == "unsigned":
        return "integer"
    if node.kind == "index":
        operand, key = node.children
        name = key.value if key.kind == "literal" and isinstance(key.value, str) else None
    else:
        operand, name = (node.children[0], node.value) if node.kind == "select" else (node, None)
    if name is None or operand.kind != "name" or operand.value not in ROOTS or operand.value in bound:
        return None
    return ("user" if operand.value == "contact" else operand.value, name)
