"""What the engine's OpenAPI document says of its routes. `python -m flow_engine.web.openapi` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel

from contracts.replies import ChatMessage
from flow_engine.web import held
from servicekit.web.openapi import PAGE, PROJECT, Operation, Problem, Said, document

SHOW_EVENT = "GET /v1/events/{event_id}"


class Step(BaseModel):
    """One node that ran."""

    flow_id: str | None = None
    flow_version: int | None = None
    node: str | None = None
    type: str | None = None
    port: str | None = None


class DeliveryRef(BaseModel):
    """`id` is what GET /v1/deliveries/{id} takes."""

    id: str
    kind: str


class EventShown(BaseModel):
    """What became of an event. `problem`: why it was rejected or failed. `answer`: the text of the last message sent."""

    event_id: str
    status: Literal["started", "waiting", "completed", "rejected", "failed"]
    problem: Problem | dict[str, Any] | None
    conversation_id: str | None
    answer: str | None
    steps: list[Step]
    messages: list[ChatMessage]
    deliveries: list[DeliveryRef]


class HeldConversation(BaseModel):
    """A conversation in which events wait because one failed unexpectedly. `error`: why it failed."""

    conversation: str
    project_id: str | None
    bot_id: str
    channel_id: str
    peer_id: str
    events: int
    since: str
    error: str | None


class HeldEvent(BaseModel):
    """`position` is its place in the queue. `error`: why it failed; null: it only waits. `value`: its first characters."""

    position: int
    event_id: str | None
    kind: str
    at: str
    held_at: str
    error: str | None
    value: str


class HeldConversations(BaseModel):
    """One page."""

    items: list[HeldConversation]
    next: str | None


class HeldShown(HeldConversation):
    """With one page of its events, in their order."""

    items: list[HeldEvent]
    next: str | None


class Discarded(BaseModel):
    """How many events were forgotten."""

    discarded: int


OPERATIONS = {
    held.LIST: Operation({200: Said("One page", HeldConversations)}, query=PAGE),
    held.SHOW: Operation({200: Said("The conversation", HeldShown)}, query=PAGE),
    held.RELEASE: Operation(
        {202: Said("It will be released", HeldConversation)},
        text="Its events are applied in their order, and it is free again unless one of them fails.",
    ),
    held.DISCARD: Operation({200: Said("Forgotten", Discarded)}, held.Discard),
    SHOW_EVENT: Operation(
        {200: Said("The event", EventShown)},
        query=PROJECT,
        text="With `data:read`, or with the token of the trigger that the event came by.",
    ),
}


if __name__ == "__main__":
    json.dump(document("flow-engine", OPERATIONS), sys.stdout)
