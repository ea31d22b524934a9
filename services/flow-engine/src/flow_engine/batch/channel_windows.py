"""How long a platform lets a bot write after a person's last message."""

from __future__ import annotations

from datetime import timedelta

from channels.discovery import installed
from flow_engine.catalogue.port import Catalogue


def window(catalogue: Catalogue, channel_id: str) -> timedelta | None:
    """How long after a person's last message the bot may write on the channel. Raises KeyError where there is no such channel."""
    type = catalogue.channel_type(f"-/{channel_id}/-")
    if type is None:
        raise KeyError(channel_id)
    seconds = installed()[type].descriptor.window_seconds
    return None if seconds is None else timedelta(seconds=seconds)
