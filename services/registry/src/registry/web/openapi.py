"""What the registry's OpenAPI document says of its routes. `python -m registry.web.openapi` prints it.

The five routes of a kind follow from its Resource; the bodies of the others are those of their handlers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, Field, create_model

from registry.resources import (
    agents,
    api_calls,
    endpoints,
    flow_imports,
    flow_layouts,
    flows,
    project_topics,
    projects,
    tokens,
)
from registry.resources.kinds import RESOURCES
from registry.resources.resource import AnyResource
from servicekit.web.openapi import PAGE, PROJECT, TEXT, Operation, Said, Schema, document

KEY: dict[str, Schema] = {"Idempotency-Key": {"type": "string", "maxLength": 255}}
FORCE: dict[str, Schema] = {
    "force": {
        "type": "boolean",
        "description": "Whether to end those who stand on it, too: their next event or timer ends their session there with `flow.failed`,"
        " `version-gone`. Without it they go on to their end. Also of a flow that was deleted before",
    }
}
MATCH: dict[str, Schema] = {"If-Match": {"type": "string", "description": "The ETag of the version that was seen"}}
PENDING = "With `Switchhook-State: pending` it is saved, and the other services will hear of it once Kafka answers."


class Pending(BaseModel):
    """Deleted here; in force elsewhere until Kafka has it."""

    state: Literal["pending"]


class FlowProblem(BaseModel):
    """Something wrong with a flow document; only an `error` forbids publishing."""

    pointer: str
    severity: str
    code: str
    detail: str


class FlowProblems(BaseModel):
    """Errors and warnings."""

    problems: list[FlowProblem]


class ImportShown(flow_imports.Reported, FlowProblems):
    """What would become of an export."""

    document: dict[str, Any]


class DraftSaved(FlowProblems):
    """`draft_version` counts the times it was saved."""

    draft_version: int


class DraftShown(DraftSaved):
    """The draft, and what is wrong with it."""

    document: dict[str, Any]


class Published(BaseModel):
    """What new sessions start on."""

    version: int


class PublishedNow(FlowProblems):
    """`problems` are warnings."""

    version: int


class VersionShown(BaseModel):
    """`published`: new sessions start on it."""

    version: int
    published: bool
    created_at: str


class VersionWithDocument(VersionShown):
    """A version never changes."""

    document: dict[str, Any]


class NamesThatDiffer(BaseModel):
    """Of nodes, triggers or variables, by their names."""

    added: list[str]
    """Those that only the later version has."""
    removed: list[str]
    """Those that only the earlier version has."""
    changed: list[str]
    """Those that both have, and not the same."""


class FlowChange(BaseModel):
    """One thing that differs."""

    pointer: str
    """A JSON pointer into the version `to`; of what was removed, into `from`."""
    kind: Literal["added", "removed", "changed", "moved"]
    """`moved`: triggers stand in another order."""
    before: Any
    """What it was; null: it was not there."""
    after: Any
    """What it is; null: it is not there any more."""


class FlowDiff(BaseModel):
    """What differs between two versions."""

    from_: int = Field(alias="from")
    to: int
    nodes: NamesThatDiffer
    triggers: NamesThatDiffer
    variables: NamesThatDiffer
    changes: list[FlowChange]


class Versions(BaseModel):
    """All of them, the newest first."""

    items: list[VersionShown]
    next: None


class TriggerRequest(BaseModel):
    """A call of the trigger, without its credentials, and what it was answered."""

    event_id: str
    at: str
    ip: str | None = None
    content_length: int | None = None
    body: Any = None
    status: int | None = None
    problem: dict[str, Any] | None = None


class TriggerRequests(BaseModel):
    """The last 50, the newest first."""

    items: list[TriggerRequest]
    next: None


class CallShown(BaseModel):
    """What was sent, without secrets, and what came back."""

    request: dict[str, Any]
    status: int | None
    took_ms: int
    body: Any
    problems: list[str]


class ChannelChecked(BaseModel):
    """What the platform said, and what is left to do."""

    external_id: str | None = None
    url: str | None = None
    webhook_set: bool
    hints: list[str]


class DeadLetter(BaseModel):
    """A record that a service could not process. `topic`, `partition` and `offset`: where it came from."""

    id: str
    service: str
    state: Literal["open", "released", "discarded"]
    code: str | None
    message: str | None
    attempts: int | None
    topic: str | None
    partition: int | None
    offset: int | None
    event_id: str | None
    type: str | None
    key: str | None
    at: str


class DeadLetters(BaseModel):
    """One page of those that are open; it may have fewer than were asked for, and still a next one."""

    items: list[DeadLetter]
    next: str | None


class DeadLetterShown(DeadLetter):
    """With the record; `value` has its first characters."""

    headers: dict[str, str]
    value: str
    value_bytes: int


class NodeTypes(BaseModel):
    """For each node its JSON Schema, ports and labels."""

    items: list[dict[str, Any]]


def operations(resources: Sequence[AnyResource]) -> dict[str, Operation]:
    """By the names of their rows."""
    found = dict(ACTIONS)
    for resource in resources:
        shown = resource.shown_model()
        made = resource.made_model(shown)
        found |= _crud(resource, shown, made)
        if resource.noun in ANSWERED_AS_ENTITY:
            found |= ANSWERED_AS_ENTITY[resource.noun](shown, made)
    return found


def _token_actions(shown: type[BaseModel], made: type[BaseModel]) -> dict[str, Operation]:
    return {
        "POST /v1/agents/{id}/tokens": Operation(
            {201: Said("The token", made)}, agents.NewAgentToken, PROJECT, MATCH | KEY, PENDING
        ),
        "POST /v1/tokens/{id}/rotate": Operation(
            {201: Said("The new token", made)}, tokens.Rotation, PROJECT, MATCH | KEY, PENDING
        ),
    }


def _endpoint_actions(shown: type[BaseModel], made: type[BaseModel]) -> dict[str, Operation]:
    switched = Operation({200: Said("As it is now", shown)}, query=PROJECT, headers=MATCH | KEY, text=PENDING)
    return {
        "POST /v1/endpoints/{id}/enable": switched,
        "POST /v1/endpoints/{id}/disable": switched,
        "POST /v1/endpoints/{id}/rotate-secret": Operation(
            {200: Said("With the new secret", made)}, endpoints.SecretRotation, PROJECT, MATCH | KEY, PENDING
        ),
    }


def _flow_actions(shown: type[BaseModel], made: type[BaseModel]) -> dict[str, Operation]:
    imported = create_model(
        "ImportedFlow", __base__=(flow_imports.Reported, made), __doc__="The flow, with its report."
    )
    return {
        "POST /v1/flows/import": Operation(
            {201: Said("The flow that was made", imported), 200: Said("Without `bot`: what it would be", ImportShown)},
            flow_imports.NewImport,
            PROJECT,
            KEY,
            PENDING,
        )
    }


def _crud(resource: AnyResource, shown: type[BaseModel], made: type[BaseModel]) -> dict[str, Operation]:
    many, one = f"/v1/{resource.noun}", f"/v1/{resource.noun}/{{id}}"
    page = create_model(f"{shown.__name__}Page", __doc__="One page.", items=(list[shown], ...), next=(str | None, ...))  # type: ignore[valid-type]
    found = {
        f"GET {many}": Operation(
            {200: Said("One page", page)}, query=dict.fromkeys(resource.filters, TEXT) | PAGE | PROJECT
        ),
        f"POST {many}": Operation({201: Said("Made", made)}, resource.new, PROJECT, KEY, PENDING),
        f"GET {one}": Operation({200: Said("As it is", shown)}, query=PROJECT),
        f"DELETE {one}": Operation(
            {204: Said("Deleted"), 202: Said("Deleted here", Pending)},
            query=(FORCE if resource.end is not None else {}) | PROJECT,
            headers=MATCH,
        ),
    }
    if resource.change is not None:
        found[f"PATCH {one}"] = Operation({200: Said("Changed", shown)}, resource.patch, PROJECT, MATCH, PENDING)
    return found


def _project_actions(shown: type[BaseModel], made: type[BaseModel]) -> dict[str, Operation]:
    return {
        "POST /v1/projects/{id}/rotate-secret": Operation(
            {200: Said("With the new secret", made)}, endpoints.SecretRotation, PROJECT, MATCH | KEY, PENDING
        )
    }


ANSWERED_AS_ENTITY = {
    "projects": _project_actions,
    "tokens": _token_actions,
    "flows": _flow_actions,
    "endpoints": _endpoint_actions,
}
"""By noun, the actions whose answers show the entity."""
ACTIONS: dict[str, Operation] = {
    "GET /v1/projects/{id}/rate-limits": Operation({200: Said("The limits", projects.RateLimits)}, query=PROJECT),
    "PUT /v1/projects/{id}/rate-limits": Operation(
        {200: Said("The limits", projects.RateLimits)}, projects.RateLimits, PROJECT, MATCH, PENDING
    ),
    "GET /v1/projects/{id}/kafka": Operation({200: Said("Its topics", project_topics.OwnTopics)}, query=PROJECT),
    "POST /v1/projects/{id}/kafka": Operation(
        {201: Said("Its topics", project_topics.OwnTopics), 200: Said("It had them", project_topics.OwnTopics)},
        query=PROJECT,
        headers=MATCH | KEY,
        text=PENDING,
    ),
    "DELETE /v1/projects/{id}/kafka": Operation(
        {204: Said("No longer used"), 202: Said("No longer used here", Pending)}, query=PROJECT, headers=MATCH
    ),
    "POST /v1/channels/{id}/check": Operation({200: Said("What the platform said", ChannelChecked)}, query=PROJECT),
    "POST /v1/flows/check": Operation({200: Said("What is wrong", FlowProblems)}, flows.Check, PROJECT),
    "PUT /v1/flows/{id}/draft": Operation({200: Said("Saved", DraftSaved)}, flows.Draft, PROJECT, MATCH),
    "GET /v1/flows/{id}/draft": Operation({200: Said("The draft", DraftShown)}, query=PROJECT),
    "GET /v1/flows/{id}/layout": Operation(
        {200: Said("The layout", flow_layouts.Layout, headers=("ETag",))},
        query=PROJECT,
        text="Empty where none was saved.",
    ),
    "PUT /v1/flows/{id}/layout": Operation(
        {200: Said("As it is now", flow_layouts.Layout, headers=("ETag",))},
        flow_layouts.Layout,
        PROJECT,
        MATCH,
        "It takes the place of the former one. The flow, its draft and its versions stay as they are.",
    ),
    "POST /v1/flows/{id}/publish": Operation(
        {200: Said("Published", PublishedNow)}, flows.Publish, PROJECT, headers=MATCH | KEY, text=PENDING
    ),
    "POST /v1/flows/{id}/rollback": Operation(
        {200: Said("Published again", Published)}, flows.Rollback, PROJECT, MATCH | KEY, PENDING
    ),
    "GET /v1/flows/{id}/diff": Operation(
        {200: Said("What differs", FlowDiff)},
        query={
            "from": {"type": "integer", "description": "The number of one version"},
            "to": {"type": "integer", "description": "The number of the other one"},
        }
        | PROJECT,
    ),
    "GET /v1/flows/{id}/versions": Operation({200: Said("The versions", Versions)}, query=PROJECT),
    "GET /v1/flows/{id}/versions/{version}": Operation({200: Said("The version", VersionWithDocument)}, query=PROJECT),
    "GET /v1/triggers/{id}/requests": Operation({200: Said("The requests", TriggerRequests)}, query=PROJECT),
    "POST /v1/api-calls/{id}/test": Operation({200: Said("What came back", CallShown)}, api_calls.Test, PROJECT),
    "GET /v1/dlq": Operation({200: Said("One page", DeadLetters)}, query={"service": TEXT} | PAGE),
    "GET /v1/dlq/{id}": Operation({200: Said("The dead letter", DeadLetterShown)}),
    "POST /v1/dlq/{id}/release": Operation({200: Said("Released", DeadLetter)}),
    "POST /v1/dlq/{id}/discard": Operation({200: Said("Discarded", DeadLetter)}),
    "GET /v1/node-types": Operation({200: Said("All node types", NodeTypes)}),
}


if __name__ == "__main__":
    json.dump(document("registry", operations(RESOURCES)), sys.stdout)
