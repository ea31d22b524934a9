"""Identifiers: fresh ones (UUIDv7) and those that follow from a cause (UUIDv5), so that a repeat gets the same."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid5

NAMESPACE = uuid5(NAMESPACE_URL, "urn:switchhook")
PEER_ID = re.compile(r"[A-Za-z0-9._:@+-]{1,128}")
_NAMESPACE = NAMESPACE.bytes
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""What the first hex digit of the clock sequence becomes with RFC 9562's variant bits."""
NOBODY = "-"
"""Stands in a conversation key where the channel (or the person) is not known yet."""


def uuid7() -> UUID:
    """A new id, ordered by time (RFC 9562, section 5.7)."""
    millis = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (
        (millis & (1 << 48) - 1) << 80 | 0x7 << 76 | (random >> 68 & 0xFFF) << 64 | 0b10 << 62 | random & (1 << 62) - 1
    )
    return UUID(int=value)


def new_id() -> str:
    """The text of a `uuid7()`, for hot paths: made without the object."""
    digits = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def derived_id(*parts: str | int) -> str:
    """The id that follows from its cause: the same parts give the same id, for ever.

    It is `uuid5(NAMESPACE, parts joined by U+001F)`, written out because the engine makes five for each event.
    """
    name = "\x1f".join(map(str, parts)).encode()
    return _as_uuid5(sha1(_NAMESPACE + name, usedforsecurity=False).hexdigest())


def _as_uuid5(hex: str) -> str:
    return f"{hex[:8]}-{hex[8:12]}-5{hex[13:16]}-{_VARIANT[hex[16]]}{hex[17:20]}-{hex[20:32]}"


def effect_ids(conversation: str, version: int, event: str) -> Callable[[int], str]:
    """Ids of the effects, by number, of the turn in which this event found the conversation at `version` (guarantees.md 2.6).

    Number 3 has `derived_id("effect", conversation, version, event, 3)`; what all have in common is hashed once.
    """
    turn = sha1(_NAMESPACE + f"effect\x1f{conversation}\x1f{version}\x1f{event}\x1f".encode(), usedforsecurity=False)

    def effect_id(ordinal: int) -> str:
        whole = turn.copy()
        whole.update(b"%d" % ordinal)
        return _as_uuid5(whole.hexdigest())

    return effect_id


def conversation_key(bot_id: str, channel_id: str, peer_id: str) -> str:
    """`bot_id/channel_id/peer_id`: the key of inbound and actions. Raises ValueError for a peer id of other characters."""
    if not PEER_ID.fullmatch(peer_id):
        raise ValueError("peer_id: 1 to 128 of A-Z a-z 0-9 . _ : @ + -")
    return f"{bot_id}/{channel_id}/{peer_id}"


def split_conversation_key(key: str) -> tuple[str, str, str]:
    """`(bot_id, channel_id, peer_id)` of a key. Raises ValueError when it is not one."""
    bot_id, channel_id, peer_id = key.split("/", 2)
    return bot_id, channel_id, peer_id
