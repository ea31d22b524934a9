"""A value as JSON text, and the two kinds of text that are not data: JSON already, and the template's own."""

from __future__ import annotations

import math
import re
from typing import Any

import orjson
from liquid.undefined import Undefined

from flowlang.liquid.rendering import Failure

LONGEST_NUMBER = 64
_SCALAR = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")

_PUNCTUATION = re.compile(r"[\s,:{}\[\]]*")


class JsonText(str):
    """What the filter `json` made: it is not made into JSON once more."""

    __slots__ = ()


class OwnText(str):
    """A text that stands in the template, in quotes: its author's, like all around the merge tags."""

    __slots__ = ()


def to_json(value: Any) -> str:
    """The value's JSON; null for nothing. Raises Failure for what has none."""
    if value is None or type(value) is Undefined:
        return "null"
    try:
        return orjson.dumps(list(value) if isinstance(value, range) else value).decode()
    except TypeError as error:
        raise Failure(f"a value that JSON does not have: {error}") from error


def value_in_json(value: Any) -> str:
    """What stands for a value outside of strings. Raises Failure.

    A text that reads as a number, true, false or null is that: answers of people are texts, also where a number is meant.
    """
    if type(value) is JsonText:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and _reads_as_scalar(value) else to_json(value)


def own_in_json(text: str) -> str:
    """What stands for a text of the template's own outside of strings: JSON, or a piece of it, is left alone."""
    return text if '"' in text or _PUNCTUATION.fullmatch(text) or _is_json(text) else to_json(text)


def characters_in_json(text: str) -> str:
    """What stands for a text within a string. Raises Failure."""
    return to_json(text)[1:-1]


def _reads_as_scalar(text: str) -> bool:
    if len(text) > LONGEST_NUMBER or not _SCALAR.fullmatch(text):
        return False
    return text in ("true", "false", "null") or math.isfinite(float(text))


def _is_json(text: str) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
