"""Types that values from outside are declared with: the variables of a webhook trigger, the parameters of an API call.

`{order_id: string!, seats: integer}`: name → type, with `!` where a value is needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}
_DECLARED = re.compile(rf"({'|'.join(_TYPES)})(!?)")


def _is_declared(text: str) -> str:
    if not _DECLARED.fullmatch(text):
        raise ValueError(f"a type is one of {', '.join(_TYPES)}, with `!` when it is required (string!)")
    return text


DeclaredType = Annotated[str, AfterValidator(_is_declared)]


def kind_of(declared: str) -> tuple[str, bool]:
    """(the type's name, whether a value is needed)."""
    found = _DECLARED.fullmatch(declared)
    return (found.group(1), bool(found.group(2))) if found else ("string", False)


def wrong_values(declared: Mapping[str, str], values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, what is wrong) of values that are not as declared. Names that are not declared are let through."""
    wrong = []
    for name, text in declared.items():
        kind, required = kind_of(text)
        value = values.get(name)
        if value is None:
            if required:
                wrong.append((name, f"{name} is needed ({kind})"))
        elif not _is(kind, value):
            wrong.append((name, f"{name} must be of type {kind}"))
    return wrong


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
