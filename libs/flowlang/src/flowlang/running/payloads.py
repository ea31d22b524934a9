"""What a tap sends back: which message, and which of its options."""

from __future__ import annotations

from typing import Any

from flowlang.building.fields import PAYLOAD_MARK as MARK


def payload_of(seq: int, option: str) -> str:
    """What a tap on an option of message `seq` sends back; `split_payload` reads it."""
    return f"{MARK}{seq}.{option}"


def split_payload(payload: Any) -> tuple[str | None, str | None]:
    """(message seq, option id) of a payload that `payload_of` made, else two Nones."""
    if not isinstance(payload, str) or not payload.startswith(MARK):
        return None, None
    seq, dot, option = payload[len(MARK) :].partition(".")
    return (seq, option) if dot else (None, None)
