"""W3C Trace Context, version 00: `00-<32 hex trace id>-<16 hex parent id>-<2 hex flags>`. Pure."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

_SHAPE = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


class TraceParent(NamedTuple):
    """`trace_id` and `span_id` in hex, as they are on the wire."""

    trace_id: str
    span_id: str
    sampled: bool

    def text(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.sampled else '00'}"


def parse_traceparent(text: str | None) -> TraceParent | None:
    """None for anything that is not a valid traceparent."""
    found = _SHAPE.fullmatch(text) if text else None
    if found is None or found[1] == _NO_TRACE or found[2] == _NO_SPAN:
        return None
    return TraceParent(found[1], found[2], bool(int(found[3], 16) & 1))


def new_traceparent(sampled: bool) -> TraceParent:
    """A trace of its own. Ids need to be distinct, not secret."""
    return TraceParent(f"{random.getrandbits(128) or 1:032x}", f"{random.getrandbits(64) or 1:016x}", sampled)
