"""JSON as it is stored and sent."""

from __future__ import annotations

from typing import Any

import orjson


class NotJson(ValueError):
    """A value that has no JSON form, such as one that is nested too deeply: the turn that made it fails."""

    type = "not-json"


def encode(value: Any) -> bytes:
    """Compact JSON. Keys that are no texts (an expression can make a map of numbers) are written as texts. Raises NotJson.

    orjson takes twice as long when it is told to expect such keys, so it is told only when it met one.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        pass
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        raise NotJson(f"a value that cannot be written: {error}") from error
