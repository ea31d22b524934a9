"""What an expression compares and reckons with, or takes for true or false, for the checker: declared variables have types."""

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
        left, right = (operand(child, bound) for child in tree.children)
        if left is not None and right is not None:
            yield Operands(tree.value, left, right)
    for place, child in enumerate(tree.children):
        inside = bound | {tree.value[1]} if tree.kind == "loop" and place else bound
        yield from operands(child, inside)


def taken_for_true(tree: Node, *, whole: bool, bound: frozenset[str] = frozenset()) -> Iterator[tuple[str, str] | str]:
    """What has to be true or false by itself: the sides of a logical sign, what is asked before `?`, all of it if `whole`."""
    if whole and (found := operand(tree, bound)) is not None:
        yield found
    for place, child in enumerate(tree.children):
        inside = bound | {tree.value[1]} if tree.kind == "loop" and place else bound
        logical = tree.kind in ("and", "or") or (tree.kind, tree.value) == ("unary", "!")
        yield from taken_for_true(child, whole=logical or (tree.kind == "choice" and place == 0), bound=inside)


def operand(node: Node, bound: frozenset[str]) -> tuple[str, str] | str | None:
    """`memory.plan` of a variable, a literal's type, or None for anything else."""
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
