"""What the data API shows of contacts and chat logs: stored rows as JSON. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from contracts.cloudevents import rfc3339
from contracts.ids import split_conversation_key
from contracts.people import PROFILE_FIELDS
from flow_engine.segments.people import channel_of
from flow_engine.store.chat_log import Line
from flow_engine.store.contact_lists import Listed


def contact(listed: Listed) -> dict[str, Any]:
    """The answer: every field of the profile, null where it is not known."""
    known, seen = listed.contact, [channel.last_user_at for channel in listed.channels if channel.last_user_at]
    return {
        "id": known.id,
        "bot_id": listed.bot_id,
        **{name: known.profile.get(name) for name in PROFILE_FIELDS},
        "variables": known.variables,
        "tags": known.tags,
        "flags": known.flags,
        "webhook_titles": known.webhook_titles,
        "channels": [_shown(channel_of(channel)) for channel in listed.channels],
        "created_at": rfc3339(listed.created_at),
        "last_seen_at": rfc3339(max(seen)) if seen else None,
    }


def _shown(channel: dict[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if isinstance(value, datetime) else value for name, value in channel.items()}


def line(said: Line) -> dict[str, Any]:
    """A line of the chat log."""
    _, channel_id, peer_id = split_conversation_key(said.key) if said.key else (None, None, None)
    return {
        "id": said.id,
        "conversation_id": said.conversation,
        "contact_id": said.contact_id,
        "channel_id": channel_id,
        "peer_id": peer_id,
        "sender": said.sender,
        "at": rfc3339(said.at),
        "content": orjson.loads(said.content),
    }
