"""A trigger: what another program calls to start a flow."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.model import Model
from contracts.registry.entity import Indexes, Owned


class TriggerAuth(Model):
    """`token`: the trigger's own token. `url`: who knows the URL, whose last segment is `<id>.<secret>`."""

    scheme: Literal["token", "url"] = "token"
    token_id: str | None = None
    url_sha256: str | None = None
    """SHA-256 (hex) of the secret in the URL. None: a trigger from before there was one, whose id is all that it needs."""


class Trigger(Owned):
    """Binds a `type: webhook` trigger of a flow to a channel and a way to prove who calls."""

    KIND = "trigger"
    INDEXES: ClassVar[Indexes] = {"flow_id": ("flow_id",)}

    bot_id: str
    flow_id: str
    entry: str
    channel_id: str | None = None
    group_peer_id: str | None = None
    auth: TriggerAuth
    state: Literal["active", "needs_token"] = "active"

    @property
    def told_id(self) -> str | None:
        """The id as events may tell it: None where it opens the trigger."""
        return None if self.auth.scheme == "url" and self.auth.url_sha256 is None else self.id
