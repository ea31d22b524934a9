"""JSON as it is stored and sent."""

from __future__ import annotations

from typing import Any

import orjson


def encode(value: Any) -> bytes:
    """Compact JSON. Keys that are no texts (an expression can make a map of numbers) are written as texts.

    orjson takes twice as long when it is told to expect such keys, so it is told only when it met one.
    """
    try:
        return orjson.dumps(value)
    except TypeError:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
