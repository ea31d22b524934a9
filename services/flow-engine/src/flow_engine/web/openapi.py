"""What the engine's OpenAPI document says of its routes. `python -m flow_engine.web.openapi` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel

from contracts.replies import ChatMessage
from servicekit.web.openapi import PROJECT, Operation, Problem, Said, document

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


OPERATIONS = {
    SHOW_EVENT: Operation(
        {200: Said("The event", EventShown)},
        query=PROJECT,
        text="With `data:read`, or with the token of the trigger that the event came by.",
    )
}


if __name__ == "__main__":
    json.dump(document("flow-engine", OPERATIONS), sys.stdout)
