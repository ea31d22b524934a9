"""What is shown beside a text: of the bot's messages (contracts.actions) and of agents' (contracts.inbound)."""

from __future__ import annotations

from typing import Literal

from contracts.model import Model


class Media(Model):
    """A picture, video, recording or other file, which the channel's platform, or the page, fetches from `url`."""

    type: Literal["image", "video", "audio", "file"]
    url: str
    name: str | None = None


class Location(Model):
    """A place on earth, in degrees north and east."""

    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None
