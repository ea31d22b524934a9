"""What is refused of a filter when it is saved: names that no contact has, and comparisons that are never true."""

from __future__ import annotations

from typing import Any

from flowlang.cel.functions import OFFERED
from flowlang.cel.parser import Node
from flowlang.cel.tokens import Token, place_of
from flowlang.expressions.trees import all_nodes, free_names, path_of, scoped_children
from flowlang.names import Nearest
from flowlang.segments.fields import FIELDS, Kind

ROOTS = frozenset(("contact", "now"))
_ORDERS = frozenset(("==", "!=", "<", "<=", ">", ">="))
_AS_IT_IS: dict[Kind, str] = {
    "text": 'is a text: contact.{0} == "…"',
    "labels": 'is a list: "…" in contact.{0}',
    "variables": "has values by their names: contact.variables.points > 3",
    "time": 'is a time: contact.{0} > timestamp("2026-01-31T00:00:00Z"), or contact.{0} > now - duration("720h")',
    "channels": 'is a list: contact.channels.exists(c, c.state == "active")',
}


def refuse(source: str, words: list[Token], tree: Node) -> None:
    """Raises ValueError with a sentence that begins with the place, `line 1:9`."""
    _Reader(source, words).refuse(tree)


class _Reader:
    def __init__(self, source: str, words: list[Token]) -> None:
        self._source, self._words = source, words

    def refuse(self, tree: Node) -> None:
        for name in sorted(free_names(tree) - ROOTS):
            raise self._fault(name, f"there is no {name!r}; a filter reads contact.<field> and now")
        for node in all_nodes(tree):
            if node.kind in ("call", "method") and node.value == "in_segment":
                raise self._fault(
                    "in_segment", "a segment's filter does not ask for another segment: write what that asks"
                )
            if node.kind in ("call", "method") and node.value not in OFFERED:
                offered = ", ".join(sorted(OFFERED))
                raise self._fault(node.value, f"there is no function {node.value!r}; there are: {offered}")
        self._refuse_fields(tree, frozenset())
        self._refuse_as_truth(tree)

    def _refuse_fields(self, node: Node, bound: frozenset[str]) -> None:
        self._refuse_types(node, bound)
        if _is_contact(node, bound):
            raise self._fault("contact", "name one of its fields: contact.city")
        if node.kind in ("select", "has", "index") and _is_contact(node.children[0], bound):
            path = path_of(node)
            if path is None:
                raise self._fault("contact", "name one of its fields: contact.city")
            self._refuse_unknown(path[1])
            return
        for child, inside in scoped_children(node, bound):
            self._refuse_fields(child, inside)

    def _refuse_unknown(self, field: str) -> None:
        if field not in FIELDS:
            near = Nearest(FIELDS).to(field)
            meant = f"; the nearest field is contact.{near}" if near else ""
            raise self._fault(
                field, f"there is no contact.{field}{meant}. What flows keep of a person is contact.variables.{field}"
            )

    def _refuse_types(self, node: Node, bound: frozenset[str]) -> None:
        if node.kind == "binary" and node.value in _ORDERS:
            for one, other in (node.children, node.children[::-1]):
                self._refuse_comparison(one, other, bound)
        elif node.kind == "binary" and node.value == "in":
            field = _field(node.children[1], bound)
            if field is not None and FIELDS[field] in ("text", "time"):
                raise self._never(field)
        elif node.kind in ("and", "or") or (node.kind, node.value) == ("unary", "!"):
            for child in node.children:
                self._refuse_as_truth(child, bound)
        elif node.kind == "choice":
            self._refuse_as_truth(node.children[0], bound)

    def _refuse_comparison(self, one: Node, other: Node, bound: frozenset[str]) -> None:
        field = _field(one, bound)
        if field is None or other.kind not in ("literal", "unsigned"):
            return
        if other.value is None and other.kind == "literal":
            raise self._fault(field, f"what is not known is not there: has(contact.{field}), or !has(contact.{field})")
        if FIELDS[field] != "text" or not isinstance(other.value, str):
            raise self._never(field)

    def _refuse_as_truth(self, node: Node, bound: frozenset[str] = frozenset()) -> None:
        field = _field(node, bound)
        if field is not None:
            raise self._never(field)
        if node.kind == "name" and node.value == "now" and "now" not in bound:
            raise self._fault("now", 'now is a time, and no condition: contact.created_at > now - duration("720h")')
        if (node.kind == "literal" and not isinstance(node.value, bool)) or node.kind in ("unsigned", "list", "map"):
            raise ValueError("a filter is true or false of a contact, and this value is neither")

    def _never(self, field: str) -> ValueError:
        return self._fault(field, f"contact.{field} {_AS_IT_IS[FIELDS[field]].format(field)}")

    def _fault(self, word: str, what: str) -> ValueError:
        place = next((token for token in self._words if word in (token.text, token.value)), self._words[0])
        line, column = place_of(self._source, place.start)
        return ValueError(f"line {line}:{column}: {what}")


def _is_contact(node: Node, bound: frozenset[str]) -> bool:
    return node.kind == "name" and node.value == "contact" and "contact" not in bound


def _field(node: Node, bound: frozenset[str]) -> str | None:
    """`city` of contact.city; None for anything else."""
    path: Any = path_of(node) if node.kind in ("select", "index") else None
    known = path is not None and len(path) == 2 and path[0] == "contact" and "contact" not in bound
    return path[1] if known and path[1] in FIELDS else None
