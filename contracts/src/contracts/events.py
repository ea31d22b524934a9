"""`switchhook.events.v1`: what happened, for the outside. CloudEvents binary mode; key: conversation or bot.

The value is the Standard Webhooks body `{type, timestamp, data}`. `data` always has what `EventData` names, where it is
known, beside what the type adds (in brackets in EVENT_TYPES).
"""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import Field

from contracts.actions import ACTION_LIMIT
from contracts.inbound import ChannelType
from contracts.model import Model
from contracts.people import ContactView
from contracts.topic import Topic

EVENT_LIMIT = ACTION_LIMIT

EventType = Literal[
    "bot.subscribed", "bot.unsubscribed", "bot.blocked",
    "message.received", "message.sent", "message.failed",
    "live_chat.opened", "live_chat.closed",
    "flow.launched", "flow.completed", "flow.failed", "session.expired",
    "redirect.followed", "trigger.rejected", "trigger.request",
    "command.accepted", "command.rejected",
    "contact.created", "contact.updated", "contact.erased",
    "tag.added", "tag.removed", "flag.assigned", "flag.removed",
    "agent.logged_in", "agent.logged_out",
    "profile.pushed", "webhook.sent",
    "endpoint.failing", "endpoint.disabled", "channel.paused", "delivery.exhausted",
]  # fmt: skip
EVENT_TYPES: tuple[str, ...] = get_args(EventType)
NEVER_DELIVERED = frozenset({"trigger.request"})
"""For the registry's request log only (contracts.findings), never sent to endpoints."""


class BotRef(Model):
    id: str
    name: str | None = None


class ChannelRef(Model):
    id: str
    type: ChannelType | None = None


class FlowRef(Model):
    id: str
    slug: str
    version: int
    name: str | None = None


class EventData(Model):
    """The part that every event's `data` shares. Extra keys are the type's own."""

    model_config = Model.model_config | {"extra": "allow"}

    event_id: str | None = None
    """The inbound event that caused it, when there is one: what GET /v1/events/{id} takes."""
    bot: BotRef | None = None
    channel: ChannelRef | None = None
    conversation_id: str | None = None
    contact: ContactView | None = None
    flow: FlowRef | None = None
    node: str | None = None


class Event(Model):
    """One event. `timestamp` is RFC 3339 UTC."""

    type: EventType
    timestamp: str
    data: dict[str, Any] = Field(default_factory=dict)


TOPIC = Topic(
    name="switchhook.events.v1",
    title="What happened, for the outside",
    key="conversation or bot",
    partitions=12,
    record=Event,
    producers=("ingress", "flow-engine", "dispatcher", "registry"),
    consumers=("dispatcher",),
)
