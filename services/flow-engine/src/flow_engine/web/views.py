"""What the data API shows of contacts and chat logs: stored rows as JSON. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson

from channels.discovery import installed
from contracts.cloudevents import rfc3339
from contracts.ids import split_conversation_key
from contracts.people import PROFILE_FIELDS
from flow_engine.store.chat_log import Line
from flow_engine.store.contact_lists import ChannelOf, Listed

STATES = {"subscribed": "active", "unsubscribed": "unsubscribed", "blocked": "blocked"}
"""By what a conversation says of its reachability; whatever else it says, the bot cannot write there: unreachable."""


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
        "channels": [channel_of(channel) for channel in listed.channels],
        "created_at": rfc3339(listed.created_at),
        "last_seen_at": rfc3339(max(seen)) if seen else None,
    }


def channel_of(channel: ChannelOf) -> dict[str, Any]:
    """Where the person is; `window_until` where the platform lets the bot write only so long after the person's word."""
    wrote, connector = channel.last_user_at, installed().get(channel.channel_type)
    window = connector.descriptor.window_seconds if connector else None
    return {
        "channel_id": channel.channel_id,
        "peer_id": channel.peer_id,
        "state": STATES.get(channel.reachable, "unreachable"),
        "last_user_message_at": rfc3339(wrote) if wrote else None,
        "window_until": rfc3339(wrote + timedelta(seconds=window)) if wrote and window else None,
    }


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
