"""A trigger: what another program calls to start a flow."""

from __future__ import annotations

from typing import ClassVar, Literal

from contracts.model import Model
from contracts.registry.entity import Indexes, Owned


class TriggerAuth(Model):
    """`token`: the trigger's own token. `url`: who knows the URL. Else a signature scheme with a sealed secret."""

    scheme: Literal["token", "url"] = "token"
    token_id: str | None = None


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
