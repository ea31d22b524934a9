"""The types of events, one row each: what happened, who may subscribe, and what such an event's `data` has.

Which endpoints may choose it, the dispatcher's intake and fan-out, the schema of `switchhook.events.v1` and
docs/reference/events.md follow from the row. A new type: docs/how-to/extend/event-type.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

Key = Literal["conversation", "bot", "project", "endpoint", "channel"]
"""What the record's key names: what is told of one of these is told in order."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One type. `sample` is what `data` has beside the fields of `EventData`, as a receiver sees it.

    `offered`: endpoints can choose it. `about_delivery`: it tells of a delivery, so its own deliveries make no events.
    """

    name: str
    what: str
    sample: Mapping[str, Any] = field(default_factory=dict)
    key: Key = "conversation"
    offered: bool = True
    about_delivery: bool = False


_ERROR = {"type": "timeout", "detail": "The API did not answer within 10 s."}
_PROBLEM = {"type": "peer-not-reachable", "status": 409, "detail": "The person has not talked to the bot yet."}
_ID = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
_AGENT = {"agent": {"id": _ID, "name": "Kim"}}
_ENDPOINT = {"endpoint": {"id": _ID}}
_COMMAND = {"command": {"kind": "start", "id": "order-17"}}

_ALL: tuple[EventKind, ...] = (
    EventKind("bot.subscribed", "A person wrote for the first time, or the bot may write to them again"),
    EventKind("bot.unsubscribed", "A person left, or stopped the bot", {"reason": "stopped"}),
    EventKind("bot.blocked", "A person blocked the bot", {"reason": "blocked"}),
    EventKind(
        "message.received", "A person wrote, tapped or sent something",
        {"message": {"id": "17", "type": "text", "text": "Hello"}},
    ),
    EventKind(
        "message.sent", "The platform took a message of the bot",
        {"message": {"id": _ID, "seq": 4, "provider_message_id": "4711"}},
    ),
    EventKind(
        "message.failed", "A message of the bot will never reach its person",
        {"message": {"id": _ID, "seq": 4}, "error": {"type": "blocked", "detail": "The person blocked the bot."}},
    ),
    EventKind("live_chat.opened", "An agent took the conversation over", _AGENT),
    EventKind("live_chat.closed", "An agent gave the conversation back", _AGENT),
    EventKind("flow.launched", "A flow started", {"trigger": {"id": "bought", "type": "webhook"}}),
    EventKind("flow.completed", "A flow came to its end"),
    EventKind("flow.failed", "A flow could not go on", {"error": _ERROR}),
    EventKind("session.expired", "A flow's session ended before the flow did", {"reason": "superseded"}),
    EventKind(
        "redirect.followed", "A person followed a tracked link",
        {"link": {"id": _ID, "url": "https://shop.example/pay", "node": "pay"}},
    ),
    EventKind(
        "trigger.rejected", "A call of a trigger was refused after its caller had been answered",
        {"problem": _PROBLEM, "trigger_id": _ID, "flow_id": _ID},
    ),
    EventKind(
        "trigger.request", "A call of a trigger, for the registry's request log", {"trigger": {"id": _ID}, "status": 202},
        "bot", offered=False,
    ),
    EventKind("command.accepted", "A command from Kafka was taken", {**_COMMAND, "status": "started"}, "bot"),
    EventKind("command.rejected", "A command from Kafka was refused", {**_COMMAND, "problem": _PROBLEM}, "bot"),
    EventKind("contact.created", "A person was met for the first time"),
    EventKind("contact.updated", "A person's profile or variables changed", {"changed": ["variables.city"]}),
    EventKind("contact.erased", "A person was erased on request", key="bot"),
    EventKind("tag.added", "A person got a tag", {"tag": "reserved"}),
    EventKind("tag.removed", "A person lost a tag", {"tag": "reserved"}),
    EventKind("flag.assigned", "A flow assigned a flag to a person", {"flag": "vip"}),
    EventKind("flag.removed", "A flow removed a flag of a person", {"flag": "vip"}),
    EventKind("agent.logged_in", "An agent came online", _AGENT, "project"),
    EventKind("agent.logged_out", "An agent went offline", _AGENT, "project"),
    EventKind("profile.pushed", "A step pushed the person's profile"),
    EventKind(
        "webhook.sent", "The receiver of a step's webhook answered 2xx",
        {"title": "paid", "delivery": {"id": _ID}}, about_delivery=True,
    ),
    EventKind("endpoint.failing", "An endpoint has failed for a while", _ENDPOINT, "endpoint", about_delivery=True),
    EventKind(
        "endpoint.disabled", "An endpoint was disabled", {**_ENDPOINT, "reason": "The receiver answered 410 Gone."},
        "endpoint", about_delivery=True,
    ),
    EventKind(
        "endpoint.circuit", "An endpoint's circuit opened, stays open after a try, or closed, for the registry to show",
        {**_ENDPOINT, "circuit": {"next_try": "2026-11-21T12:00:05.000Z", "reason": "The receiver answered 503."}},
        "endpoint", offered=False, about_delivery=True,
    ),
    EventKind(
        "channel.paused", "A platform refused a channel's credentials", {"reason": "The platform refused the token."},
        "channel",
    ),
    EventKind(
        "delivery.exhausted", "A delivery was given up",
        {**_ENDPOINT, "delivery": {"id": _ID, "attempts": 9, "event_type": "flow.completed"}, "error": _ERROR},
        about_delivery=True,
    ),
)  # fmt: skip
EVENTS: dict[str, EventKind] = {kind.name: kind for kind in _ALL}
"""Type -> row."""


def offered() -> Iterable[str]:
    """The types that endpoints can choose."""
    return (kind.name for kind in EVENTS.values() if kind.offered)


def is_about_delivery(type: str | None) -> bool:
    """Whether events of this type tell of a delivery."""
    return type is not None and type in EVENTS and EVENTS[type].about_delivery


def _known(type: str) -> str:
    if type not in EVENTS:
        raise ValueError(f"no type of event; there are {', '.join(EVENTS)}")
    return type


EventType = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(EVENTS)})]
"""A type that has a row."""
