"""What is wrong with a value, in a sentence for who sent it: the words of pydantic are for programmers in Python."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

_TYPES = {
    "string": "a text", "str": "a text", "int": "a whole number", "float": "a number", "decimal": "a number",
    "bool": "true or false", "list": "a list", "tuple": "a list", "dict": "an object", "mapping": "an object",
    "model": "an object", "model_attributes": "an object", "datetime": "a time (RFC 3339, with an offset)",
    "datetime_from_date": "a time (RFC 3339, with an offset)", "timezone": "a time (RFC 3339, with an offset)",
    "date": "a date", "none_required": "null", "uuid": "a UUID", "url": "a URL", "bytes": "a text",
}  # fmt: skip
_LIMITS = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "finite_number": "a finite number",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text of the form {pattern}",
    "string_unicode": "a text in UTF-8",
    "too_short": "one that has at least {min_length} entries",
    "too_long": "one that has at most {max_length} entries",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
}


def sentence(error: Mapping[str, Any]) -> str:
    """What to send instead, from one of `ValidationError.errors()` (its `type`, `ctx`, `msg` and `loc`)."""
    type, context = str(error["type"]), error.get("ctx") or {}
    name = error["loc"][-1] if error.get("loc") else ""
    if type in ("value_error", "assertion_error"):
        return str(context.get("error") or error["msg"].partition(", ")[2])
    if type == "extra_forbidden":
        return f"there is no field {name!r} here: remove it or correct its name"
    if type == "missing":
        return f"the field {name!r} is needed"
    if type == "union_tag_invalid":
        return f"there is no type {context.get('tag')!r}; there are: {str(context.get('expected_tags', '')).replace(chr(39), '')}"
    if type == "union_tag_not_found":
        return f"the field {str(context.get('discriminator', '')).strip(chr(39))!r} is needed"
    if type in _LIMITS:
        return f"it has to be {_LIMITS[type].format_map(_Known(context))}"
    return f"it has to be {_TYPES.get(_kind(type), 'another value')}"


def reason(error: ValidationError) -> str:
    """What is wrong with a record, for its dead letter: the first field that is wrong, and the sentence about it."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return f"it is no JSON: {first['ctx']['error']}"
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {sentence(first)}" if place else sentence(first)


def code_and_reason(error: ValidationError) -> tuple[str, str]:
    """Of a record's dead letter: `not-json` or `wrong-schema`, and `reason`, 500 characters at most."""
    is_json = error.errors(include_url=False, include_input=False)[0]["type"] != "json_invalid"
    return "wrong-schema" if is_json else "not-json", reason(error)[:500]


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def _kind(type: str) -> str:
    """`int_parsing`, `int_from_float` and `int_type` are about an int."""
    while type and type not in _TYPES:
        type = type.rpartition("_")[0]
    return type
