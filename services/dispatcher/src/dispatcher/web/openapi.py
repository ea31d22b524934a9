"""What the dispatcher's OpenAPI document says of its routes. `python -m dispatcher.web.openapi` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, get_args

from pydantic import BaseModel

from dispatcher.model.states import State
from servicekit.web.openapi import PAGE, PROJECT, TEXT, Operation, Said, Schema, document

STATUSES: tuple[str, ...] = get_args(State)
TIME: Schema = {"type": "string", "format": "date-time"}


class Target(BaseModel):
    """To whom: an endpoint, a channel, a host."""

    type: str
    id: str


class EventRef(BaseModel):
    """The event that a subscription's webhook tells of."""

    id: str
    type: str | None


class DeliveryShown(BaseModel):
    """A delivery as the list shows it. Its id is the `webhook-id` that receivers see. Times are RFC 3339 UTC."""

    id: str
    kind: str
    status: State
    target: Target
    event: EventRef | None
    conversation_id: str | None
    attempts_made: int
    next_attempt_at: str | None
    created_at: str
    finished_at: str | None
    error: str | None


class AttemptShown(BaseModel):
    """One attempt: heads and at most 8 KiB of the bodies; secrets were never stored."""

    number: int
    started_at: str
    took_ms: int
    outcome: str
    status: int | None
    code: str | None
    detail: str | None
    request: dict[str, Any]
    response: dict[str, Any] | None


class DeliveryWithAttempts(DeliveryShown):
    """A delivery with its attempts, the first one first."""

    attempts: list[AttemptShown]


class Deliveries(BaseModel):
    """One page; `next` is the cursor of the following one."""

    items: list[DeliveryShown]
    next: str | None


OPERATIONS = {
    "GET /v1/deliveries": Operation(
        {200: Said("One page", Deliveries)},
        query={"endpoint": TEXT, "event": TEXT, "status": {"enum": list(STATUSES)}, "since": TIME, **PAGE, **PROJECT},
    ),
    "GET /v1/deliveries/{id}": Operation({200: Said("The delivery", DeliveryWithAttempts)}, query=PROJECT),
    "POST /v1/deliveries/{id}/replay": Operation(
        {202: Said("It will be attempted again", DeliveryShown)},
        query=PROJECT,
        text="For webhooks that are finished: the same `webhook-id`, and a new schedule of attempts.",
    ),
}


if __name__ == "__main__":
    json.dump(document("dispatcher", OPERATIONS), sys.stdout)
