"""Which endpoints an event goes to. Pure. An event about an endpoint never goes to that endpoint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.event_types import EVENTS, offered
from contracts.registry import Endpoint

ALL = "*"


def wanted(event_type: str, endpoint: Endpoint) -> bool:
    """Whether the endpoint chose events of this type."""
    return EVENTS[event_type].offered and (event_type in endpoint.events or ALL in endpoint.events)


def by_type(endpoints: Iterable[Endpoint]) -> dict[str, tuple[Endpoint, ...]]:
    """A project's endpoints, by the event types that they chose."""
    ordered = sorted(endpoints, key=lambda one: one.id)
    return {kind: chosen for kind in offered() if (chosen := tuple(one for one in ordered if wanted(kind, one)))}


def matches(endpoint: Endpoint, event: Mapping[str, Any]) -> bool:
    """Whether this event may go to the endpoint, which has chosen its type; its filter is asked afterwards."""
    data = event["data"]
    if (data.get("endpoint") or {}).get("id") == endpoint.id:
        return False
    return not endpoint.bots or (data.get("bot") or {}).get("id") in endpoint.bots
