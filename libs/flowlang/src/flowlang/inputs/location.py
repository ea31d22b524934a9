"""`location`: a place on earth, shared or written as latitude and longitude."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Invalid, Reader, Shared, attachment_of, text_of

LONGEST = 64
_WRITTEN = re.compile(r"([-+]?\d{1,3}(?:\.\d{1,15})?)(?:[,;] ?| )([-+]?\d{1,3}(?:\.\d{1,15})?)")


class LocationInput(Shared):
    """A place, shared or written: `52.52, 13.405`. Keeps `{latitude, longitude}`, and `name` and `address` if they are told."""

    SHARES: ClassVar = "location"

    type: Literal["location"]
    """A place, shared or written (`52.52, 13.405`); `{latitude, longitude}` is kept, with `name` and `address` if they are
    told."""

    def build(self, compiler: Compiler) -> Reader:
        return _LocationReader()


@dataclass(frozen=True, slots=True)
class _LocationReader(Free):
    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        shared = attachment_of(message, "location")
        if shared is None:
            found = _WRITTEN.fullmatch(text_of(message, LONGEST))
            if found is None:
                raise Invalid("a location is expected")
            shared = {"latitude": float(found[1]), "longitude": float(found[2])}
        place = {name: _degrees(shared.get(name), most) for name, most in (("latitude", 90), ("longitude", 180))}
        told = {name: shared[name] for name in ("name", "address") if isinstance(shared.get(name), str)}
        return Answer({**place, **told})


def _degrees(value: Any, most: int) -> float:
    """Raises Invalid when it is no angle of that size."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or abs(value) > most:
        raise Invalid("a location is expected")
    return float(value)
