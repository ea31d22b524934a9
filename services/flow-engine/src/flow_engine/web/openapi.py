"""What the engine's OpenAPI document says of its routes. `python -m flow_engine.web.openapi` prints it."""

from __future__ import annotations

import json
import sys
from typing import Any, Literal

from pydantic import BaseModel

from contracts.replies import ChatMessage
from flow_engine.web import (
    broadcast_models,
    broadcasts,
    contact_changes,
    contacts,
    erasures,
    flow_migrations,
    held,
    inbox_operations,
    node_counts,
    simulate,
    traces,
)
from flow_engine.web.contact_models import Accepted, ChatLog, Contact, ContactCount, Contacts
from flow_engine.web.importing import ImportLine
from servicekit.web.openapi import PAGE, PROJECT, TEXT, Operation, Problem, Said, Schema, document

SHOW_EVENT = "GET /v1/events/{event_id}"
FILTERS: dict[str, Schema] = {
    "bot": {**TEXT, "description": "Whose, by its id; may be left out where the project has one bot"},
    "tag": {**TEXT, "description": "Only those with this tag"},
    "flag": {**TEXT, "description": "Only those with this flag"},
    "webhook_title": {**TEXT, "description": "Only those about whom a flow's webhook of this title was received"},
    "q": {
        **TEXT,
        "description": "Only those of whose name, username, e-mail address, phone or external id words begin so",
    },
    "segment": {**TEXT, "description": "Only members of this segment, by its id or name"},
}
"""Which contacts."""
KEYED: dict[str, Schema] = {"Idempotency-Key": TEXT, "Prefer": TEXT}
WRITE_REFUSALS = {
    404: "There is no such bot or contact",
    409: "Another contact has the external id (`contact-exists`)",
    413: "The contact would be too large, or too many events would tell of it (`too-large`)",
    422: "A field is wrong, or the Idempotency-Key was used with another request",
    429: "Too many callers wait (`too-many-requests`)",
    503: "Whether it was taken is unknown (`unavailable`)",
}
CHANGE_REFUSALS = WRITE_REFUSALS | {412: "The contact is not as If-Match says (`stale`); `ETag` is the current one"}
SINCE: dict[str, Schema] = {
    "bot": FILTERS["bot"],
    "contact": {**TEXT, "description": "Only what was said with this contact, by its id"},
    "since": {**TEXT, "description": "Only what was said at this time or later, RFC 3339"},
}


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
    contact_id: str | None
    """Of a write of the data API: the contact that it made or changed."""
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
    contacts.LIST: Operation(
        {200: Said("The contacts", Contacts)},
        query=PAGE | FILTERS | PROJECT,
        text="Those made last come first; with `q` they are in the order of the words that they were found by.",
    ),
    contacts.COUNT: Operation(
        {200: Said("Their number", ContactCount)},
        query=FILTERS | PROJECT,
        text="Counted up to 10000, and for 2 s: where there are more, or it would take longer, `is_exact` is false.",
    ),
    contacts.EXPORT: Operation(
        {200: Said("One contact a line", media_type=contacts.NDJSON)},
        query=FILTERS | PROJECT,
        text="A stream of all that a list would show, page after page. One that breaks off is not complete.",
    ),
    contacts.IMPORT: Operation(
        {200: Said("A report a line, in their order", media_type=contacts.NDJSON)},
        ImportLine,
        takes=contacts.NDJSON,
        query={"bot": FILTERS["bot"]} | PROJECT,
        headers={"Idempotency-Key": TEXT},
        text=(
            "A contact a line (application/x-ndjson): who has the `id` or the `external_id` is changed, else one is made. Each report"
            " has `line` and `id` or `problem`; the last line of the answer is `lines` and `failed`. Read it while you send."
        ),
    ),
    contacts.SHOW: Operation(
        {200: Said("The contact", Contact, headers=("ETag",))},
        query=PROJECT,
        refusals={404: "There is no such contact"},
        text="One that was merged into another is shown as that one, under its id.",
    ),
    contacts.MAKE: Operation(
        {
            201: Said("The contact", Contact, headers=("ETag", "Location")),
            202: Said("Kafka has it, and it will be made", Accepted, headers=("Location",)),
        },
        contact_changes.NewContact,
        query=PROJECT,
        headers=KEYED,
        refusals=WRITE_REFUSALS,
        text="What it says of external_id, phone and email is verified. Without a conversation nobody can be written to.",
    ),
    contacts.CHANGE: Operation(
        {
            200: Said("The contact", Contact, headers=("ETag",)),
            202: Said("Kafka has it, and it will be changed", Accepted, headers=("Location",)),
        },
        contact_changes.ContactChange,
        query=PROJECT,
        headers=KEYED | {"If-Match": TEXT},
        refusals=CHANGE_REFUSALS,
        text="Field by field: what others change at the same time stays.",
    ),
    contacts.MERGE: Operation(
        {
            200: Said("The contact", Contact, headers=("ETag",)),
            202: Said("Kafka has it, and it will be merged", Accepted, headers=("Location",)),
        },
        contact_changes.Merge,
        query=PROJECT,
        headers=KEYED | {"If-Match": TEXT},
        refusals=CHANGE_REFUSALS,
        text="This contact gets what only the other one had: fields, tags, flags, identifiers and conversations.",
    ),
    erasures.ERASE: Operation(
        {202: Said("The job that erases them", erasures.ErasureAnswer)},
        query=PROJECT,
        headers=KEYED,
        text="Everywhere, with all their conversations, and for good. Asked again it answers with the same job.",
    ),
    erasures.SHOW: Operation(
        {200: Said("The job", erasures.ErasureAnswer)},
        query=PROJECT,
        text="What was erased where, and what remains where until when. It is kept for 15 days.",
    ),
    contacts.CHAT_LOG: Operation(
        {200: Said("What was said", ChatLog)},
        query=PAGE | SINCE | PROJECT,
        text="Of a bot in the order of time; of a contact one conversation after the other, each in its order.",
    ),
    **inbox_operations.OPERATIONS,
    **traces.OPERATIONS,
    broadcasts.LIST: Operation(
        {200: Said("The broadcasts", broadcast_models.Broadcasts)},
        query=PAGE | {"bot": FILTERS["bot"]} | PROJECT,
        text="The newest first.",
    ),
    broadcasts.MAKE: Operation(
        {201: Said("The broadcast", broadcast_models.Broadcast)},
        broadcast_models.NewBroadcast,
        query=PROJECT,
        headers={"Idempotency-Key": TEXT},
        text="Who comes to be a contact after its beginning is not in it. It begins by itself.",
    ),
    broadcasts.SHOW: Operation({200: Said("The broadcast", broadcast_models.Broadcast)}, query=PROJECT),
    broadcasts.RECIPIENTS: Operation(
        {200: Said("The recipients", broadcast_models.Recipients)},
        query=PAGE | {"outcome": {**TEXT, "description": "Only those with this outcome"}} | PROJECT,
        text="In the order in which contacts were made. Who was not looked at yet is not among them.",
    ),
    broadcasts.PAUSE: Operation(
        {200: Said("The broadcast", broadcast_models.Broadcast)},
        query=PROJECT,
        text="Once this is answered nobody is begun with until it goes on.",
    ),
    broadcasts.RESUME: Operation({200: Said("The broadcast", broadcast_models.Broadcast)}, query=PROJECT),
    broadcasts.CANCEL: Operation(
        {200: Said("The broadcast", broadcast_models.Broadcast)},
        query=PROJECT,
        text="Once this is answered nobody is begun with any more. What has begun goes on.",
    ),
    **flow_migrations.OPERATIONS,
    **node_counts.OPERATIONS,
    simulate.SIMULATE: Operation(
        {200: Said("What it would do", simulate.Simulated)},
        simulate.Simulation,
        query=PROJECT,
        refusals={
            404: "There is no such bot",
            422: "The script or the flow is wrong (`flow-invalid`), or it costs too much (`simulation-too-costly`)",
            429: "Too many simulations of the project wait, or they have taken too long (`too-many-requests`)",
        },
        text=(
            "The engine's interpreter with a clock that goes only when a step says so, and answers that the script gives for calls. Code"
            " runs in the sandbox. A step that could not be played, and an expectation that was not met, is in `problems`."
        ),
    ),
    SHOW_EVENT: Operation(
        {200: Said("The event", EventShown)},
        query=PROJECT,
        text="With `data:read`, or with the token of the trigger that the event came by.",
    ),
}


if __name__ == "__main__":
    json.dump(document("flow-engine", OPERATIONS), sys.stdout)
