"""A segment's filter as a condition of SQL over the table of contacts, where it can be one. Pure.

What CEL ends with an error in, SQL has NULL for: a field that is not there, an order between values of different types. Both
then decide alike: a false part decides `&&` and a true one `||`, whatever the others are, `!` changes neither error nor
NULL, and only who is true of the whole is a member. Equality with a value of another type is false, not NULL, in both.

Values are parameters, never text. Fields are JSON here, so that their types are those that CEL sees.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from contracts.people import PROFILE_FIELDS
from flow_engine.state.patches import COLUMNS
from flowlang.cel.evaluation import Scene, compiled
from flowlang.cel.parser import Node
from flowlang.cel.values import LONGEST_LIST, CelError, Unsigned
from flowlang.expressions.trees import all_nodes, path_of
from flowlang.segments.filter import SegmentFilter
from flowlang.work import TooCostly, Work

EXACT = 2**53
"""Up to here numbers of both kinds mean the same in JSON, in PostgreSQL and here."""
NULL = "NULL::boolean"
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_FIRST, _LAST = datetime(1000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_TIMES = {
    "created_at": "c.created_at",
    "last_seen_at": """(
        SELECT max(v.last_user_at) FROM conversation v
         WHERE v.contact_id = c.id OR v.contact_id = ANY (ARRAY(SELECT m.id FROM contact m WHERE m.merged_into = c.id)))""",
}
_LABELS = {"tags": "tag", "flags": "flag", "webhook_titles": "webhook_title"}
"""Columns that are sets of texts -> the kind of their terms, by which contacts are listed."""


class Condition(NamedTuple):
    """`where` is true, false or null of `c`, a row of contact; its parameters are numbered from the number that was asked for."""

    where: str
    parameters: tuple[Any, ...]


class _NoSql(Exception):
    """A part that SQL has no same meaning for."""


class _Constant(NamedTuple):
    value: Any


class _Json(NamedTuple):
    """SQL that gives jsonb, NULL where there is nothing."""

    sql: str


class _Time(NamedTuple):
    sql: str


def condition(filter: SegmentFilter, project_id: str, now: datetime, first: int) -> Condition | None:
    """The filter at this time, over contacts of this project; None where it has to be asked of each contact by itself.

    `first`: the number of the first of its parameters.
    """
    writer = _Writer(now, first)
    whose = f"c.project_id = {writer.text(project_id)}"
    try:
        where = writer.truth(filter.tree)
    except _NoSql:
        return None
    return Condition(f"{whose} AND {where}", tuple(writer.parameters))


def label_of(filter: SegmentFilter) -> tuple[str, str] | None:
    """What each member has, (the kind of a term, the label), where the filter says so: contacts are listed by it."""
    tree = filter.tree
    for part in tree.children if tree.kind == "and" else (tree,):
        if part.kind == "binary" and part.value == "in" and part.children[0].kind == "literal":
            label, path = part.children[0].value, path_of(part.children[1])
            if isinstance(label, str) and "\x00" not in label and (name := _labels(path)):
                return _LABELS[name], label
    return None


class _Writer:
    def __init__(self, now: datetime, first: int) -> None:
        self._now, self._first = now, first
        self.parameters: list[Any] = []

    def truth(self, node: Node) -> str:
        """A boolean that is NULL where CEL fails."""
        if _is_constant(node):
            return self._constant_truth(node)
        if node.kind in ("and", "or"):
            return "(" + f" {node.kind.upper()} ".join(map(self.truth, node.children)) + ")"
        if node.kind == "unary" and node.value == "!":
            return f"(NOT {self.truth(node.children[0])})"
        if node.kind == "choice":
            asked, chosen, other = map(self.truth, node.children)
            return f"(CASE {asked} WHEN true THEN {chosen} WHEN false THEN {other} END)"
        if node.kind == "binary":
            return self._binary(node)
        if node.kind == "has":
            return self._has(node)
        if node.kind == "method":
            return self._of_text(node)
        value = self._operand(node)
        if isinstance(value, _Json):
            return f"(CASE {value.sql} WHEN 'true' THEN true WHEN 'false' THEN false END)"
        raise _NoSql

    def _constant_truth(self, node: Node) -> str:
        value = self._value(node)
        return NULL if not isinstance(value, bool) else "true" if value else "false"

    def _value(self, node: Node) -> Any:
        """What a part is that asks nothing of the contact."""
        try:
            return compiled(node)(Scene({"now": self._now}, Work()))
        except (CelError, TooCostly):
            raise _NoSql from None

    def _parameter(self, value: Any, type: str) -> str:
        self.parameters.append(value)
        return f"${self._first + len(self.parameters) - 1}::{type}"

    # --- operands

    def _operand(self, node: Node) -> _Constant | _Json | _Time:
        if _is_constant(node):
            return _Constant(self._value(node))
        path = path_of(node) if node.kind in ("select", "index") else None
        if path is None or path[0] != "contact":
            raise _NoSql
        if len(path) == 3 and path[1] == "variables":
            return _Json(f"(c.variables -> {self.text(path[2])})")
        if len(path) != 2:
            raise _NoSql
        return self._field(path[1])

    def _field(self, name: str) -> _Json | _Time:
        if name in _TIMES:
            return _Time(_TIMES[name])
        if name in ("id", "bot_id", *COLUMNS):
            return _Json(f"to_jsonb(c.{name}{'::text' if name == 'id' else ''})")
        if name in PROFILE_FIELDS:
            return _Json(f"(c.profile -> {self.text(name)})")
        raise _NoSql

    def text(self, value: str) -> str:
        """A text as a parameter."""
        if "\x00" in value:
            raise _NoSql
        return self._parameter(value, "text")

    def _json(self, value: Any) -> str:
        """A value as jsonb. Lists and objects are not compared here."""
        return self._parameter(_json_text(value), "jsonb")

    # --- signs

    def _binary(self, node: Node) -> str:
        left, right = node.children
        if node.value == "in":
            return self._in(left, right)
        if node.value not in _MIRRORED:
            raise _NoSql
        one, other = self._operand(left), self._operand(right)
        if isinstance(one, _Constant):
            return self._compared(_MIRRORED[node.value], other, one)
        return self._compared(node.value, one, other)

    def _compared(self, sign: str, one: Any, other: Any) -> str:
        if not isinstance(other, _Constant):
            raise _NoSql
        value = other.value
        if isinstance(one, _Time):
            return f"({one.sql} {_sql(sign)} {self._moment(value)})"
        if sign in ("==", "!="):
            return f"({one.sql} {_sql(sign)} {self._json(value)})"
        if type(value) is str:
            return f"(CASE jsonb_typeof({one.sql}) WHEN 'string' THEN {_text_of(one)} {sign} {self.text(value)} END)"
        if type(value) in (int, float, Unsigned):
            number = self._parameter(_number(value), "numeric")
            return f"(CASE jsonb_typeof({one.sql}) WHEN 'number' THEN ({one.sql})::numeric {sign} {number} END)"
        raise _NoSql

    def _moment(self, value: Any) -> str:
        if type(value) is not datetime:
            raise _NoSql
        # No contact is so old or so young: what lies beyond compares as the bound does, and fits into PostgreSQL.
        return self._parameter(min(max(value, _FIRST), _LAST), "timestamptz")

    def _in(self, needle: Node, holder: Node) -> str:
        path = path_of(holder)
        if name := _labels(path):
            return self._in_labels(self._operand(needle), name)
        one, other = self._operand(needle), self._operand(holder)
        if isinstance(one, _Json) and isinstance(other, _Constant) and type(other.value) is list:
            found = f"{one.sql} = ANY ({self._parameter([_json_text(item) for item in other.value], 'jsonb[]')})"
            return f"(CASE WHEN {one.sql} IS NOT NULL THEN {found} END)"
        if isinstance(one, _Constant) and type(one.value) is str and isinstance(other, _Json):
            return self._in_value(one.value, other)
        raise _NoSql

    def _in_labels(self, needle: Any, name: str) -> str:
        if not isinstance(needle, _Constant) or type(needle.value) is not str:
            raise _NoSql
        found = f"{self.text(needle.value)} = ANY (c.{name})"
        return f"(CASE WHEN cardinality(c.{name}) <= {LONGEST_LIST} THEN {found} END)"

    def _in_value(self, needle: str, holder: _Json) -> str:
        """Of a list or object. One that is too large for an expression has no members."""
        keys = f"(SELECT count(*) FROM jsonb_object_keys({holder.sql}))"
        listed = f"CASE WHEN jsonb_array_length({holder.sql}) <= {LONGEST_LIST} THEN {holder.sql} @> {self._json(needle)} END"
        keyed = f"CASE WHEN {keys} <= {LONGEST_LIST} THEN {holder.sql} ? {self.text(needle)} END"
        return f"(CASE jsonb_typeof({holder.sql}) WHEN 'array' THEN {listed} WHEN 'object' THEN {keyed} END)"

    # --- functions

    def _has(self, node: Node) -> str:
        path = path_of(node)
        if path is None or path[0] != "contact":
            raise _NoSql
        if len(path) == 3 and path[1] == "variables":
            return f"(c.variables ? {self.text(path[2])})"
        if len(path) != 2:
            raise _NoSql
        if path[1] in (*_LABELS, "created_at"):
            return "true"
        return f"({self._field(path[1]).sql} IS NOT NULL)"

    def _of_text(self, node: Node) -> str:
        if len(node.children) != 2:
            raise _NoSql
        whole, part = map(self._operand, node.children)
        if not isinstance(whole, _Json) or not isinstance(part, _Constant) or type(part.value) is not str:
            raise _NoSql
        text, sought = _text_of(whole), self.text(part.value)
        if node.value == "startsWith":
            found = f"starts_with({text}, {sought})"
        elif node.value == "endsWith":
            found = f"right({text}, length({sought})) = {sought}"
        elif node.value == "contains":
            found = f"strpos({text}, {sought}) > 0"
        else:
            raise _NoSql
        return f"(CASE jsonb_typeof({whole.sql}) WHEN 'string' THEN {found} END)"


def _labels(path: tuple[str, ...] | None) -> str | None:
    """`tags` of contact.tags; None of what is no set of texts."""
    return path[1] if path is not None and len(path) == 2 and path[0] == "contact" and path[1] in _LABELS else None


def _is_constant(node: Node) -> bool:
    return not any(each.kind == "name" and each.value == "contact" for each in all_nodes(node))


def _sql(sign: str) -> str:
    return {"==": "=", "!=": "<>"}.get(sign, sign)


def _text_of(value: _Json) -> str:
    """In the order of code points, as CEL has it."""
    return f"""({value.sql} #>> '{{}}') COLLATE "C\""""


def _number(value: Any) -> Decimal:
    if (isinstance(value, float) and not math.isfinite(value)) or abs(value) > EXACT:
        raise _NoSql
    return Decimal(repr(value) if isinstance(value, float) else int(value))


def _json_text(value: Any) -> str:
    """A text, number, truth or null as JSON."""
    if type(value) in (int, float, Unsigned):
        return str(_number(value))
    if (type(value) is str and "\x00" not in value) or value is None or type(value) is bool:
        return orjson.dumps(value).decode()
    raise _NoSql
