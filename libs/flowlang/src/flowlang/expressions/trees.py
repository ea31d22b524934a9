"""Questions that are asked of an expression's tree: what it names, what it reads, what it could cost."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from flowlang.cel.evaluation import IN_SEGMENT
from flowlang.cel.parser import Node
from flowlang.cel.values import TYPES

MOST_ADDITIONS = 8

Reference = tuple[str, ...]


def refuse_costly(tree: Node) -> None:
    """Raises ValueError for what would fail as soon as there is data."""
    every = list(all_nodes(tree))
    if sum(node.kind == "binary" and node.value == "+" for node in every) > MOST_ADDITIONS:
        raise ValueError(f"at most {MOST_ADDITIONS} `+` in an expression")
    patterns = [node for node in every if node.kind in ("call", "method") and node.value == "matches"]
    if len(patterns) > 1:
        raise ValueError("at most one matches() in an expression")
    for node in patterns:
        literal = node.children[-1]
        if len(node.children) != 2 or literal.kind != "literal" or not isinstance(literal.value, str):
            raise ValueError('matches() takes its pattern as a literal: user.email.matches("@example\\.com$")')
    for loop in every:
        if loop.kind == "loop":
            _refuse_costly_loop(loop)


def _refuse_costly_loop(loop: Node) -> None:
    macro, _ = loop.value
    for body in loop.children[1:]:
        for node in all_nodes(body):
            if node.kind == "loop":
                raise ValueError(f"{node.value[0]}() inside another such loop costs too much")
            if node.kind in ("call", "method") and node.value == "matches":
                raise ValueError(f"matches() inside {macro}() costs too much")
            if node.kind == "call" and node.value == IN_SEGMENT:
                raise ValueError(f"{IN_SEGMENT}() inside {macro}() costs too much: ask it before")


def is_cheap(node: Node) -> bool:
    """Each of its steps does a bounded thing once, and charges for what it goes over."""
    return node.kind != "loop" and node.value != "matches"


def segments_of(tree: Node) -> tuple[str, ...]:
    """The names that `in_segment` is asked for. Raises ValueError where one is no literal."""
    names = []
    for node in all_nodes(tree):
        if node.kind == "call" and node.value == IN_SEGMENT:
            literal = node.children[0] if len(node.children) == 1 else None
            if literal is None or literal.kind != "literal" or not isinstance(literal.value, str):
                raise ValueError(f'{IN_SEGMENT}() takes the name of a segment as a literal: {IN_SEGMENT}("vips")')
            names.append(literal.value)
    return tuple(names)


def all_nodes(tree: Node) -> Iterator[Node]:
    """A node and all below it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.children)


def free_names(node: Node, bound: frozenset[str] = frozenset()) -> set[str]:
    """The names that a value must be given for."""
    if node.kind == "name":
        return set() if node.value in bound or node.value in TYPES else {node.value}
    found = set()
    for child, inside in scoped_children(node, bound):
        found |= free_names(child, inside)
    return found


def scoped_children(node: Node, bound: frozenset[str]) -> Iterator[tuple[Node, frozenset[str]]]:
    """Each child, with the names that loops have bound there."""
    for place, child in enumerate(node.children):
        yield child, bound | {node.value[1]} if node.kind == "loop" and place else bound


def reads(node: Node, roots: Collection[str], bound: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """The paths that begin with one of the roots."""
    path = path_of(node)
    if path is not None:
        if path[0] in roots and path[0] not in bound:
            yield path
        return
    for child, inside in scoped_children(node, bound):
        yield from reads(child, roots, inside)


def path_of(node: Node) -> Reference | None:
    """The path that a node is: names with dots, and names in brackets."""
    steps: list[str] = []
    while node.kind != "name":
        if node.kind in ("select", "has"):
            steps.append(node.value)
        elif node.kind == "index" and node.children[1].kind == "literal" and isinstance(node.children[1].value, str):
            steps.append(node.children[1].value)
        else:
            return None
        node = node.children[0]
    return (node.value, *reversed(steps))
