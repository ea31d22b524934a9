"""The JSON Schema that a model's answer has to follow: what a document may say of one, and whether a text follows it.

A schema is somebody's program, over a text that a stranger may have had a hand in. So it is small and flat, refers to nothing (what it
referred to would be fetched, or recurse), and its patterns are matched in linear time. Validating it passes the gate of
flowlang.work all the same: it is done by native code, which nothing here counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

LARGEST = 8 * 1024
"""Bytes of a schema, as JSON."""
DEEPEST = 16
"""Levels of objects and lists in one."""
LONGEST_PATTERN_SIZE = 1_000_000
"""Bytes of a compiled pattern."""
LONGEST_WHY = 300
_REFERS = frozenset(("$ref", "$dynamicRef", "$recursiveRef", "$id", "$schema", "$anchor", "$dynamicAnchor"))


def wrong_schema(schema: dict[str, Any]) -> str | None:
    """Why a document may not have this schema, None where it may."""
    try:
        size = len(orjson.dumps(schema))
    except TypeError:
        return "the schema has no JSON form"
    if size > LARGEST:
        return f"a schema has at most {LARGEST} bytes, and this has {size}"
    for level, key in _keys(schema):
        if level > DEEPEST:
            return f"a schema has at most {DEEPEST} levels"
        if key in _REFERS:
            return f"a schema refers to nothing: write out what {key} stands for"
    if schema.get("type") != "object":
        return 'the answer is an object: give the schema `"type": "object"`'
    try:
        _validator(orjson.dumps(schema))
    except ValueError as error:
        return f"it is no JSON Schema: {str(error)[:LONGEST_WHY]}"
    return None


def wrong_answer(schema: dict[str, Any], text: str) -> tuple[Any, str | None]:
    """(the value, None), or (None, why the text does not follow the schema: a sentence that names the place)."""
    try:
        value = orjson.loads(_without_fence(text))
    except orjson.JSONDecodeError as error:
        return None, f"it is not JSON: {error.msg} at position {error.pos}"
    wrong = next(_validator(orjson.dumps(schema)).iter_errors(value), None)
    if wrong is None:
        return value, None
    place = "/".join(str(part) for part in wrong.instance_path) or "the whole"
    return None, f"{place}: {wrong.message}"[:LONGEST_WHY]


def _without_fence(text: str) -> str:
    """Models like to put JSON between ``` lines."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```") and "\n" in stripped:
        return stripped.partition("\n")[2].removesuffix("```")
    return stripped


def _keys(schema: Any) -> Iterator[tuple[int, str]]:
    waiting = [(1, schema)]
    while waiting:
        level, value = waiting.pop()
        if isinstance(value, dict):
            yield from ((level, key) for key in value)
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if not below:
            yield level, ""
        waiting.extend((level + 1, item) for item in below if isinstance(item, (dict, list)))


@lru_cache(maxsize=64)
def _validator(schema: bytes) -> Draft202012Validator:
    """Raises ValueError. Loaded when the first is needed: most processes need none."""
    from jsonschema_rs import Draft202012Validator, RegexOptions

    patterns = RegexOptions(size_limit=LONGEST_PATTERN_SIZE)
    return Draft202012Validator(orjson.loads(schema), pattern_options=patterns, offline=True)
