"""What the interpreter sees of each kind of inbound record: `Happening.data`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts import inbound
from flow_engine.turn.event import InboundEvent
from flow_engine.turn.people import update

Data = Callable[[InboundEvent], dict[str, Any] | None]
"""None: the interpreter need not see it."""


def message(event: InboundEvent) -> dict[str, Any]:
    body: inbound.MessageReceived = event.body
    return {
        "text": body.text,
        "payload": body.payload,
        "type": body.type,
        "message_id": body.message_id,
        "attachments": list(body.attachments),
    }


def start(event: InboundEvent) -> dict[str, Any]:
    body: inbound.StartFlow = event.body
    data = {"flow_id": body.flow_id, "entry": body.entry, "variables": body.variables, "content": body.content}
    return data | {"broadcast_id": body.broadcast.id} if body.broadcast and body.source == "broadcast" else data


def url(event: InboundEvent) -> dict[str, Any]:
    body: inbound.UrlOpened = event.body
    return {
        "command": body.command,
        "content": body.content,
        "content_raw": body.content_raw,
        "options": body.options,
    }


def command(event: InboundEvent) -> dict[str, Any]:
    body: inbound.RunCommand = event.body
    return {"command": body.command, "content": body.content}


def call_result(event: InboundEvent) -> dict[str, Any]:
    body: inbound.CallResult = event.body
    error = body.error.model_dump(exclude_none=True) if body.error else None
    answer = {"wait": body.wait, "outcome": body.outcome, "status": body.status, "body": body.body, "error": error}
    return {**answer, "response": body.response} if body.response else answer


def history(event: InboundEvent) -> dict[str, Any]:
    """What was said, as an answer to the step that waits for it."""
    body: inbound.ReadHistory = event.body
    cut = {"before": body.before, "without": body.without}
    found = {"messages": event.history, "cut": cut}
    return {"wait": body.wait, "outcome": "ok", "status": None, "body": found, "error": None}


def timer(event: InboundEvent) -> dict[str, Any]:
    body: inbound.TimerFired = event.body
    return {"wait": body.wait}


def signal(event: InboundEvent) -> dict[str, Any]:
    body: inbound.Signal = event.body
    return {"name": body.name, "data": body.data}


def own_event(event: InboundEvent) -> dict[str, Any]:
    body: inbound.OwnEvent = event.body
    return {**body.data, "type": body.type}


def owner(event: InboundEvent) -> dict[str, Any]:
    body: inbound.OwnerChange = event.body
    agent = body.agent.model_dump() if body.agent else None
    return {"to": body.to, "by": body.by.model_dump(), "agent": agent, "instead_of": body.instead_of}


def agent_message(event: InboundEvent) -> dict[str, Any]:
    body: inbound.AgentMessage = event.body
    shown = {
        name: value.model_dump(exclude_none=True) for name in ("media", "location") if (value := getattr(body, name))
    }
    return {"text": body.text, "agent": body.agent.model_dump(), **shown}


def agent_only(event: InboundEvent) -> dict[str, Any]:
    """Nothing that a flow would read."""
    return {}


def unseen(event: InboundEvent) -> None:
    """No flow takes it."""


def reachability(event: InboundEvent) -> dict[str, Any]:
    body: inbound.Reachability = event.body
    return {"state": body.state, "before": event.reachable_before, "reason": body.reason, "chat": body.chat}


def contact_update(event: InboundEvent) -> dict[str, Any] | None:
    """Nothing where there is nobody to change, or no conversation in which a flow could run."""
    if not event.contact.id or event.is_of_contact:
        return None
    change = update(event.body)
    return {"changed": list(change.set), "add_tags": list(change.add_tags), "remove_tags": list(change.remove_tags)}


def message_result(event: InboundEvent) -> dict[str, Any]:
    body: inbound.MessageResult = event.body
    return {
        "action_id": body.action_id,
        "seq": body.seq,
        "outcome": body.outcome,
        "provider_message_id": body.provider_message_id,
        "error": body.error.model_dump(exclude_none=True) if body.error else None,
    }
