"""Typebot's comparisons as CEL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowtools.importing.exports import at, number, objects, text
from flowtools.importing.texts import cel_text
from flowtools.importing.typebot_flow import Flow

_TAG = re.compile(r"\{\{([^{}]{1,500})\}\}")
_ORDER = {"Greater than": ">", "Greater or equal to": ">=", "Less than": "<", "Less or equal to": "<="}
_EQUALITY = {"Equal to": "==", "Not equal": "!="}
_WORDS = {"Contains": "contains", "Starts with": "startsWith", "Ends with": "endsWith"}


def branches(flow: Flow, block: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(expression, item) of each that can be said; the others are reported."""
    for item in objects(block, "items"):
        content = at(item, "content")
        parts = [_comparison(flow, one) for one in objects(content, "comparisons")]
        if parts and all(parts):
            joined = " || " if text(content, "logicalOperator") == "OR" else " && "
            yield joined.join(f"({part})" if len(parts) > 1 else str(part) for part in parts), item
            continue
        shown = ", ".join(text(one, "comparisonOperator") or "?" for one in objects(content, "comparisons"))
        place = text(item, "id") or text(block, "id")
        flow.draft.report(place, f"condition: {shown}", "its branch is left out", "write the branch as CEL")


def _comparison(flow: Flow, comparison: dict[str, Any]) -> str | None:
    place = flow.place(text(comparison, "variableId"))
    operator, against = text(comparison, "comparisonOperator"), text(comparison, "value")
    if place is None:
        return None
    holds_number = flow.types.get(place) == "number"
    if operator == "Is set":
        return f"has({place}) && {place} != null"
    if operator == "Is empty":
        return f"!has({place}) || {place} == null" + ("" if holds_number else f' || {place} == ""')
    other = _TAG.fullmatch(against.strip())
    if not other and _TAG.search(against):
        return None
    literal = flow.place_of_name(other[1].strip()) if other else None
    if other and literal is None:
        return None
    return _compared(operator, place, literal, against, holds_number=holds_number, types=flow.types)


def _compared(
    operator: str, place: str, other: str | None, against: str, *, holds_number: bool, types: dict[str, str]
) -> str | None:
    """`other`: the place that it is compared with, where it is not compared with the text `against`."""

    def as_number(one: str) -> str:
        return one if types.get(one) == "number" else f"double({one})"

    found = number(against) if other is None else None
    if operator in _ORDER:
        right = as_number(other) if other else None if found is None else str(found)
        return f"{as_number(place)} {_ORDER[operator]} {right}" if right else None
    if operator in _EQUALITY and other:
        alike = types.get(place) == types.get(other)
        left, right = (place, other) if alike else (f"string({place})", f"string({other})")
        return f"{left} {_EQUALITY[operator]} {right}"
    if operator in _EQUALITY:
        if holds_number:
            return f"{place} {_EQUALITY[operator]} {found}" if found is not None else None
        return f"{place} {_EQUALITY[operator]} {cel_text(against)}"
    is_not = operator == "Does not contain"
    word = "contains" if is_not else _WORDS.get(operator)
    if word is None:
        return None
    subject = f"string({place})" if holds_number else place
    return f"{'!' if is_not else ''}{subject}.{word}({other or cel_text(against)})"
