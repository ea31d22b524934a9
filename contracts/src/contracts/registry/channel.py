"""A channel: where a bot talks."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.inbound import ChannelType
from contracts.registry.entity import Indexes, Owned, Sealed


class Channel(Owned):
    """`inbound_sha256` is the digest of the random part of a platform's inbound URL. `credentials` seals a JSON object.

    That has the credentials of the type's descriptor (libs/channels) and `inbound_url`; `secret_token_sha256` is the digest
    of the one that is compared without being opened. Telegram: {token, secret_token, inbound_url}. `external_id` is the
    bot's own id there (number as text), `url` its public page.
    """

    KIND = "channel"
    INDEXES: ClassVar[Indexes] = {"bot_id": ("bot_id",)}

    bot_id: str
    type: ChannelType
    name: str
    api_base_url: str | None = None
    inbound_sha256: str | None = None
    secret_token_sha256: str | None = None
    credentials: Sealed | None = None
    external_id: str | None = None
    url: str | None = None
    allowed_origins: tuple[str, ...] = ()
    state: Literal["active", "paused"] = "active"
