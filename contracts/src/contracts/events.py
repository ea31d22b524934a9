"""`switchhook.events.v1`: what happened, for the outside. CloudEvents binary mode; key: conversation or bot.

The value is the Standard Webhooks body `{type, timestamp, data}`. `data` always has what `EventData` names, where it is
known, beside what the type adds (contracts.event_types).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.event_types import EventType
from contracts.inbound import ChannelType
from contracts.model import Model
from contracts.people import ContactView
from contracts.topic import Topic


class BotRef(Model):
    """The bot that it is about."""

    id: str
    name: str | None = None


class ChannelRef(Model):
    """The channel that it happened on."""

    id: str
    type: ChannelType | None = None


class FlowRef(Model):
    """The flow, and the version of it that ran."""

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
