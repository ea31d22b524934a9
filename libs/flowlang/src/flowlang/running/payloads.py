"""What a tap sends back: which message, and which of its options."""

from __future__ import annotations

from typing import Any

from flowlang.building.fields import PAYLOAD_MARK as MARK
from flowlang.expressions.values import json_size
from flowlang.problems import NodeError

MOST_TAPS, TAPS_LIMIT = 8, 16 * 1024
"""Messages whose buttons a conversation remembers, and their bytes as JSON. Titles and payloads may be as long as a memory is."""


def payload_of(seq: int, option: str) -> str:
    """What a tap on an option of message `seq` sends back; `split_payload` reads it."""
    return f"{MARK}{seq}.{option}"


def split_payload(payload: Any) -> tuple[str | None, str | None]:
    """(message seq, option id) of a payload that `payload_of` made, else two Nones."""
    if not isinstance(payload, str) or not payload.startswith(MARK):
        return None, None
    seq, dot, option = payload[len(MARK) :].partition(".")
    return (seq, option) if dot else (None, None)


def newest_taps(taps: dict[str, Any]) -> dict[str, Any]:
    """Those that are remembered, oldest first. Raises NodeError where there is no room for the newest."""
    kept = dict(taps)
    while len(kept) > MOST_TAPS or json_size(kept) > TAPS_LIMIT:
        del kept[next(iter(kept))]
    if not kept:
        raise NodeError("buttons-too-large", f"titles and payloads of a message have at most {TAPS_LIMIT} bytes")
    return kept
