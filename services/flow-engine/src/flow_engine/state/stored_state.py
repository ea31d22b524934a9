"""A conversation's state as its row holds it: without what the row's other columns say, to keep rows small. Pure."""

from __future__ import annotations

import orjson

from contracts.ids import split_conversation_key
from flow_engine.state import json_text
from flowlang.model import Conversation
from flowlang.running import state

_IN_COLUMNS = ("key", "bot_id", "channel_id", "peer_id", "contact_id", "version")


def encode(conversation: Conversation) -> bytes:
    """The `state` column."""
    data = state.to_dict(conversation)
    for name in _IN_COLUMNS:
        data.pop(name, None)
    return json_text.encode(data)


def decode(stored: bytes, *, key: str, contact_id: str, version: int) -> Conversation:
    """The conversation of a row."""
    bot_id, channel_id, peer_id = split_conversation_key(key)
    data = orjson.loads(stored)
    data.update(
        key=key, bot_id=bot_id, channel_id=channel_id, peer_id=peer_id, contact_id=contact_id, version=version
    )  # fmt: skip
    return state.from_dict(data)
