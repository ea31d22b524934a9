"""Reading exports, which may hold anything: a value of another kind than expected is as good as none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

LONGEST_EXPORT = 4 * 1024 * 1024
"""Bytes of a file of an export."""
MOST_FILES = 500
"""Of a bot, beside the flow."""


class NotImported(Exception):
    """Nothing can be made of it; the text says why."""


def parsed(content: bytes, name: str) -> Any:
    """The JSON of a file. Raises NotImported."""
    if len(content) > LONGEST_EXPORT:
        raise NotImported(f"{name}: an export has at most {LONGEST_EXPORT} bytes")
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise NotImported(f"{name}: not JSON: {error}") from error


def at(value: Any, *path: str) -> Any:
    """What is there in nested objects, else None."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def text(value: Any, *path: str) -> str:
    """A text; a whole number is one, too. Empty where there is none."""
    found = at(value, *path)
    return str(found) if isinstance(found, (str, int)) and not isinstance(found, bool) else ""


def number(value: Any, *path: str) -> int | float | None:
    """A number of a sensible size."""
    found = at(value, *path)
    if isinstance(found, str):
        found = _read(found)
    usable = isinstance(found, (int, float)) and not isinstance(found, bool) and abs(found) < 1e15
    return found if usable else None


def _read(source: str) -> int | float | None:
    try:
        return int(source) if source.strip().lstrip("-").isdecimal() else float(source)
    except ValueError:
        return None


def objects(value: Any, *path: str) -> Iterator[dict[str, Any]]:
    """The objects of a list."""
    found = at(value, *path)
    yield from (one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()
