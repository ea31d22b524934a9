"""`switchhook.findings.v1`: what a service found out that the registry keeps. Key: what it is about.

The records are events (contracts.events): `endpoint.disabled` and `channel.paused` stand on the events topic too, for the
outside, and so does `contact.erased`, without the `event_ids` that it has here; `endpoint.circuit`, `trigger.request` and `flow_version.unused` only here. The registry reads this and not all that
happens (ADR-0006).
"""

from __future__ import annotations

from contracts.events import Event
from contracts.headers import OURS
from contracts.topic import Topic

TYPES = (
    "endpoint.disabled",
    "endpoint.circuit",
    "channel.paused",
    "trigger.request",
    "flow_version.unused",
    "contact.erased",
)
"""The events that the registry reads here."""
TOPIC = Topic(
    name="switchhook.findings.v1",
    title="What a service found out that the registry keeps",
    key="endpoint, channel, bot or flow",
    partitions=3,
    record=Event,
    producers=("ingress", "dispatcher", "flow-engine"),
    consumers=("registry",),
    headers=OURS,
    family="",
)
