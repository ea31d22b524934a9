"""What Typebot's `Set variable` writes: texts, numbers, sums of a variable and a number. Anything else is code there, and is left out."""

from __future__ import annotations

import re
from typing import Any

from flowtools.importing.exports import at, text
from flowtools.importing.typebot_flow import Flow

_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_VARIABLE = re.compile(r"\{\{([^{}=]{1,500})\}\}")
_SUM = re.compile(rf"\{{\{{([^{{}}=]{{1,500}})\}}\}}\s*([-+*])\s*({_NUMBER.pattern})")
_WORDS = re.compile(r"[^\W\d_][\w\s.,!?'’:@€$%&/-]*")
_CODE = re.compile(r"\b(?:return|new|const|let|var|function|await|typeof)\b|[\w}]\.[a-z]\w*|://")
_KINDS = {
    "Empty": None,
    "Now": "{{ system.now }}",
    "Today": "{{ system.now | date: '%Y-%m-%d' }}",
    "User ID": "{{ user.id }}",
    "Contact name": "{{ user.name }}",
    "Phone number": "{{ user.phone }}",
}


def is_number(source: str) -> bool:
    """Whether the expression gives a number."""
    return bool(_NUMBER.fullmatch(source.strip()) or _SUM.fullmatch(source.strip()))


def value(flow: Flow, options: Any, block: str, *, is_number: bool) -> tuple[Any] | None:
    """What is written, in a tuple; None where it cannot be said. `is_number`: whether the variable is one."""
    kind, source = text(options, "type"), text(options, "expressionToEvaluate").strip()
    if kind in _KINDS:
        return (_KINDS[kind],)
    if kind not in ("", "Custom") or at(options, "isCode") is True:
        return None
    if not source:
        return (None,)
    if _NUMBER.fullmatch(source):
        return (float(source) if "." in source else int(source),) if is_number else (source,)
    if found := _SUM.fullmatch(source):
        place = flow.place_of_name(found[1].strip())
        number = f"double({place})" if "." in found[3] else place  # CEL adds no whole number to one that is none.
        return ({"cel": f"{number} {found[2]} {found[3]}"},) if place and is_number else None
    if found := _VARIABLE.fullmatch(source):
        place = flow.place_of_name(found[1].strip())
        return ({"cel": place},) if place else None
    return (flow.template(source, block),) if _is_text(source) else None


def _is_text(source: str) -> bool:
    words = _VARIABLE.sub("x", source)
    return bool(_WORDS.fullmatch(words)) and not _CODE.search(words)
