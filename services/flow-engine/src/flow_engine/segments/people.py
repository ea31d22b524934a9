"""A contact as a filter sees it. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from channels.discovery import installed
from flow_engine.store.contact_lists import ChannelOf, Listed
from flowlang.segments.fields import of_contact

STATES = {"subscribed": "active", "unsubscribed": "unsubscribed", "blocked": "blocked"}
"""By what a conversation says of its reachability; whatever else it says, the bot cannot write there: unreachable."""


def person(listed: Listed) -> dict[str, Any]:
    """All fields of flowlang.segments.fields. What is not known is not there."""
    seen = [channel.last_user_at for channel in listed.channels if channel.last_user_at]
    return {
        **of_contact(listed.contact, listed.bot_id),
        "created_at": listed.created_at,
        **({"last_seen_at": max(seen)} if seen else {}),
        "channels": [
            {name: value for name, value in channel_of(channel).items() if value is not None}
            for channel in listed.channels
        ],
    }


def channel_of(channel: ChannelOf) -> dict[str, Any]:
    """Where a person is; `window_until` where the platform lets the bot write only so long after the person's word."""
    wrote, connector = channel.last_user_at, installed().get(channel.channel_type)
    window = connector.descriptor.window_seconds if connector else None
    return {
        "channel_id": channel.channel_id,
        "peer_id": channel.peer_id,
        "state": STATES.get(channel.reachable, "unreachable"),
        "last_user_message_at": wrote,
        "window_until": wrote + timedelta(seconds=window) if wrote and window else None,
    }
