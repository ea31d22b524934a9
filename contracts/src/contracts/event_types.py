"""The types of events, one row each: what happened, who may subscribe, and what such an event's `data` holds.

Which endpoints may choose it, the dispatcher's intake and fan-out, the schema of `switchhook.events.v1` and
docs/reference/events.md follow from the row. A new type: docs/how-to/extend/event-type.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from contracts import agent_events
from contracts import event_data as data
from contracts.event_data import EventData

Key = Literal["conversation", "bot", "project", "endpoint", "channel", "flow"]
"""What the record's key names: what is told of one of these is told in order."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """One type. `sample` is what `data` has beside the fields of `EventData`, as a receiver sees it.

    `data`: the model of it, where it has more than those. `offered`: endpoints can choose it. `about_delivery`: it tells of
    a delivery, so its own deliveries make no events.
    """

    name: str
    what: str
    sample: Mapping[str, Any] = field(default_factory=dict)
    key: Key = "conversation"
    data: type[EventData] = EventData
    offered: bool = True
    about_delivery: bool = False


_ERROR = {"type": "timeout", "detail": "The API did not answer within 10 s."}
_PROBLEM = {"type": "peer-not-reachable", "status": 409, "detail": "The person has not talked to the bot yet."}
_ID = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
_AGENT = {"agent": {"id": _ID, "name": "Kim"}}
_ENDPOINT = {"endpoint": {"id": _ID}}
_COMMAND = {"command": {"kind": "start", "id": "order-17"}}

_ALL: tuple[EventKind, ...] = (
    EventKind(
        "bot.subscribed", "A person wrote for the first time, or the bot may write to them again",
        data=data.WithReason,
    ),
    EventKind("bot.unsubscribed", "A person left, stopped the bot, or unsubscribed", {"reason": "opted-out"}, data=data.WithReason),
    EventKind("bot.blocked", "A person blocked the bot", {"reason": "blocked"}, data=data.WithReason),
    EventKind(
        "message.received", "A person wrote, tapped or sent something",
        {"message": {"id": "17", "type": "text", "text": "Hello"}}, data=data.MessageReceivedData,
    ),
    EventKind(
        "message.sent", "The platform took a message of the bot",
        {"message": {"id": _ID, "seq": 4, "provider_message_id": "4711"}}, data=data.MessageSentData,
    ),
    EventKind(
        "message.failed", "A message of the bot will never reach its person",
        {"message": {"id": _ID, "seq": 4}, "error": {"type": "blocked", "detail": "The person blocked the bot."}},
        data=data.MessageFailedData,
    ),
    EventKind(
        "live_chat.opened", "The bot handed the conversation to the queue of the agents, or an agent took it over",
        {"by": "flow", "queue": "Sales"}, data=agent_events.LiveChatOpenedData,
    ),
    EventKind(
        "live_chat.closed", "The conversation is the bot's again", {**_AGENT, "reason": "released"},
        data=agent_events.LiveChatClosedData,
    ),
    EventKind(
        "flow.launched", "A flow started", {"trigger": {"id": "bought", "type": "webhook"}},
        data=data.FlowLaunchedData,
    ),
    EventKind("flow.completed", "A flow came to its end"),
    EventKind("flow.failed", "A flow could not go on", {"error": _ERROR}, data=data.WithError),
    EventKind(
        "session.expired", "A flow's session ended before the flow did", {"reason": "superseded"},
        data=data.SessionExpiredData,
    ),
    EventKind(
        "redirect.followed", "A person followed a tracked link",
        {"link": {"id": _ID, "url": "https://shop.example/pay", "node": "pay"}}, data=data.RedirectFollowedData,
    ),
    EventKind(
        "trigger.rejected", "A call of a trigger was refused after its caller had been answered",
        {"problem": _PROBLEM, "trigger_id": _ID, "flow_id": _ID}, data=data.TriggerRejectedData,
    ),
    EventKind(
        "trigger.request", "A call of a trigger, for the registry's request log",
        {"trigger": {"id": _ID}, "at": "2026-11-21T00:01:00.000Z", "ip": "192.0.2.7", "content_length": 64, "status": 202},
        "bot", offered=False, data=data.TriggerRequestData,
    ),
    EventKind(
        "command.accepted", "A command from Kafka was taken", {**_COMMAND, "status": "started"}, "bot",
        data=data.CommandAcceptedData,
    ),
    EventKind(
        "command.rejected", "A command from Kafka was refused", {**_COMMAND, "problem": _PROBLEM}, "bot",
        data=data.CommandRejectedData,
    ),
    EventKind("contact.created", "A person was met for the first time"),
    EventKind(
        "contact.updated", "A person's profile or variables changed", {"changed": ["variables.city"]},
        data=data.ContactUpdatedData,
    ),
    EventKind("contact.erased", "A person was erased on request: of the contact only the id is told"),
    EventKind("tag.added", "A person got a tag", {"tag": "reserved"}, data=data.TagData),
    EventKind("tag.removed", "A person lost a tag", {"tag": "reserved"}, data=data.TagData),
    EventKind("flag.assigned", "A flow assigned a flag to a person", {"flag": "vip"}, data=data.FlagData),
    EventKind("flag.removed", "A flow removed a flag of a person", {"flag": "vip"}, data=data.FlagData),
    EventKind(
        "agent.logged_in", "An agent came online", _AGENT, "project",
        data=agent_events.WithAgent,
    ),
    EventKind(
        "agent.logged_out", "An agent went offline, or was not heard of for two minutes", _AGENT, "project",
        data=agent_events.WithAgent,
    ),
    EventKind(
        "agent.notified", "A flow told the agents something", {"text": "Ann asks for a refund."},
        data=agent_events.AgentNotifiedData,
    ),
    EventKind("profile.pushed", "A step pushed the person's profile"),
    EventKind(
        "webhook.sent", "The receiver of a step's webhook answered 2xx",
        {"title": "paid", "delivery": {"id": _ID}}, about_delivery=True, data=data.WebhookSentData,
    ),
    EventKind(
        "endpoint.failing", "An endpoint has failed for a while", _ENDPOINT, "endpoint", about_delivery=True,
        data=data.EndpointData,
    ),
    EventKind(
        "endpoint.disabled", "An endpoint was disabled", {**_ENDPOINT, "reason": "The receiver answered 410 Gone."},
        "endpoint", about_delivery=True, data=data.EndpointDisabledData,
    ),
    EventKind(
        "endpoint.circuit", "An endpoint's circuit opened, stays open after a try, or closed, for the registry to show",
        {**_ENDPOINT, "circuit": {"next_try": "2026-11-21T12:00:05.000Z", "reason": "The receiver answered 503."}},
        "endpoint", offered=False, about_delivery=True, data=data.EndpointCircuitData,
    ),
    EventKind(
        "flow_version.unused", "No conversation stands on a retired version of a flow, nor will, for the registry to delete it",
        {"flow_version": {"id": f"{_ID}/1"}}, "flow", offered=False, data=data.FlowVersionUnusedData,
    ),
    EventKind(
        "channel.paused", "A platform refused a channel's credentials", {"reason": "The platform refused the token."},
        "channel", data=data.WithReason,
    ),
    EventKind(
        "delivery.exhausted", "A delivery was given up",
        {**_ENDPOINT, "delivery": {"id": _ID, "attempts": 9, "event_type": "flow.completed"}, "error": _ERROR},
        about_delivery=True, data=data.DeliveryExhaustedData,
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
