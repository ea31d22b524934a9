"""Ids that follow from others, so that a batch that is applied again makes the same ones."""

from __future__ import annotations

import re
from functools import lru_cache

from contracts.ids import derived_id

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@lru_cache(maxsize=4096)  # Who writes to a bot writes again within minutes.
def conversation_id(key: str) -> str:
    """The id that a conversation's key gives it: its primary key, and what the outside sees."""
    return derived_id("conversation", key)


def as_uuid(event_id: str) -> str:
    """An event id as the database takes it; foreign ids that are no UUID get one that follows from them."""
    return event_id if _UUID.fullmatch(event_id) else derived_id("event", event_id)


def timer_id(key: str, wait: str) -> str:
    """The id of the timer of a wait."""
    return derived_id("wait", key, wait)
