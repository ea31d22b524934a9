"""`switchhook.events.v1`: what happened, for the outside. CloudEvents binary mode; key: conversation or bot.

The value is the Standard Webhooks body `{type, timestamp, data}`. `data` always has what `EventData` names, where it is
known, beside what the type adds (contracts.event_data).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from contracts.event_types import EventType
from contracts.headers import OURS
from contracts.model import Model
from contracts.topic import Topic


class Event(Model):
    """One event."""

    type: EventType
    """What happened; what `data` holds depends on it."""
    timestamp: str
    """When, RFC 3339 UTC."""
    data: dict[str, Any] = Field(default_factory=dict)
    """EventData, and what the type adds."""


TOPIC = Topic(
    name="switchhook.events.v1",
    title="What happened, for the outside",
    key="conversation or bot",
    partitions=12,
    record=Event,
    producers=("ingress", "flow-engine", "dispatcher", "registry"),
    consumers=("dispatcher",),
    headers=OURS,
    family="",
)
