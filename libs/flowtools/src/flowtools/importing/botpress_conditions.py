"""Botpress's conditions as CEL. They are JavaScript there: a variable compared with a literal is understood, anything else is not."""

from __future__ import annotations

import re
from collections.abc import Callable

from flowtools.importing.texts import cel_text

TRUE = "true"
LONGEST = 500
_SCOPES = {"user": "user", "session": "memory", "temp": "memory", "state": "memory"}
_NAME = re.compile(r"[\w$-]{1,64}")
_VARIABLE = r"""(user|session|temp|state)(?:\.([\w$]{1,64})|\[['"]([\w$-]{1,64})['"]\])"""
_COMPARED = re.compile(
    _VARIABLE
    + r"""\s*(===?|!==?|>=?|<=?)\s*(-?[0-9]{1,15}(?:\.[0-9]{1,9})?|true|false|null|undefined|"[^"\\]*"|'[^'\\]*')"""
)
_SET = re.compile("(!?)" + _VARIABLE)

Places = Callable[[str, str], str]


def place_of(scope: str, name: str, places: Places) -> str | None:
    """Where a variable is kept; `temp` lasts as long as `session` there: both are our memory."""
    if scope not in _SCOPES or not _NAME.fullmatch(name):
        return None
    return places(_SCOPES[scope], name)


def condition(source: str, places: Places) -> str | None:
    """The CEL of a condition, TRUE where it always holds; None where it is not understood."""
    source = source.strip()
    if source in ("", TRUE, "always"):
        return TRUE
    if len(source) > LONGEST:
        return None
    if found := _SET.fullmatch(source):
        place = place_of(found[2], found[3] or found[4], places)
        return f"!has({place}) || {place} == null" if found[1] else f"has({place}) && {place} != null"
    found = _COMPARED.fullmatch(source)
    if not found:
        return None
    place, operator, literal = place_of(found[1], found[2] or found[3], places), found[4], found[5]
    if literal in ("null", "undefined"):
        if operator[0] not in "!=":
            return None
        return f"has({place}) && {place} != null" if operator[0] == "!" else f"!has({place}) || {place} == null"
    if literal[0] in "\"'":
        literal = cel_text(literal[1:-1])
    if operator[0] in "<>":
        return f"double({place}) {operator} {literal}" if literal[0] in "-0123456789" else None
    return f"{place} {operator[0]}= {literal}"
