"""OpenAPI 3.1 documents: the rows of the route table, each with what its service says of bodies and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from contracts.described import Described
from contracts.routes import ROUTES, Route, Service, bind
from servicekit.web import field_words
from servicekit.web.problems import MEDIA_TYPE

Schema = dict[str, Any]
Refs = dict[Any, Schema]
REF = "#/components/schemas/{model}"
JSON = "application/json"
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer", "minimum": 0}
PAGE: dict[str, Schema] = {"limit": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}, "cursor": TEXT}
"""The query of every list (servicekit.web.pagination)."""
PROJECT: dict[str, Schema] = {"project": {"type": "string", "description": "For the operator: whose."}}
PARAMETERS = {
    "id": "Which one: its id",
    "agent": "Only those of this agent, by its id",
    "email": "Only those with this e-mail address",
    "bot": "The id of a bot",
    "channel": "The id of a channel",
    "broadcast": "The id of a broadcast",
    "contact": "The id of a contact",
    "conversation": "The id of a conversation",
    "cursor": "The `next` of the page before; left out: the first page",
    "endpoint": "Only of this endpoint, by its id",
    "erasure": "The id of an erasure, as DELETE of the contact answered",
    "migration": "The id of a flow migration",
    "event": "Only of this event, by its id",
    "event_id": "The id that the call which caused the event was answered",
    "flow": "Only of this flow, by its id",
    "limit": "How many a page has at most",
    "name": "Only those of this name",
    "random": "The secret part of the channel's inbound URL",
    "service": "Only of this service",
    "session": "The session's id, as opening it answered",
    "signed": "The signed part of the URL that was given out",
    "since": "Only what was made at this time or later, RFC 3339",
    "slug": "Only those of this slug",
    "state": "Only those in this state",
    "status": "Only those in this state",
    "trigger": "The id of a trigger, or the secret of its URL, as its `url` has it",
    "type": "Only those of this type",
    "version": "The number of a version",
    "after": "The `seq` of the last message that was seen; 0: from the beginning",
    "wait": "For so many seconds at most the answer waits until there is something new",
    "Prefer": "`wait=N`: answer with what the bot said, N seconds at most; `respond-async`: as soon as Kafka has it",
    "Idempotency-Key": "Your own name for this call: a repeat under it gets the first one's answer and does nothing",
    "If-Match": "The ETag of the version that was seen: 412 if it is another one by now",
    "Last-Event-ID": "The `id` of the last event of the stream that was seen",
    "Accept": "`text/event-stream`: a stream of server-sent events",
}
"""What parameters mean that mean the same everywhere."""
HEADERS = {
    "ETag": "Stands for the state that is shown; `If-Match` of a later change takes it",
    "Location": "The path of what was made, or of what tells what becomes of it",
}
"""Headers of answers that mean something here."""
SECURITY_SCHEMES: Schema = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of a project, or the operator's"},
    "session": {"type": "http", "scheme": "bearer", "description": "The token of a web chat session"},
}


class FieldError(BaseModel):
    """What is wrong with one field of the body; `pointer` is a JSON pointer, `#/events/0`."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """RFC 9457. `type` is a page of the documentation; docs/reference/problems.md lists them."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(json_schema_extra={"format": "uri"})
    title: str
    status: int
    detail: str | None = None
    errors: list[FieldError] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: what it means, and the model of its body (None: it has none, or one of any kind).

    `others`: media types in which the same is told instead, to who asks for it so. `headers`: those of HEADERS that it has.
    """

    what: str
    body: type[BaseModel] | None = None
    media_type: str = JSON
    others: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """What a service says of one row beside what the row says itself.

    `answers`: by status, refusals left out: they are the same everywhere. `body`: the model of the request's JSON; `Any`
    for JSON or text of any kind. `query` and `headers`: schemas by name, all optional.
    """

    answers: Mapping[int, Said]
    body: Any = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    headers: Mapping[str, Schema] = field(default_factory=dict)
    text: str = ""
    takes: str = JSON
    """The media type of the request's body."""
    refusals: Mapping[int, str] = field(default_factory=dict)
    """By status: why this route in particular refuses."""


def document_path(service: Service) -> str:
    """Where a service shows its document."""
    return f"/openapi/{service}.json"


def document(service: Service, operations: Mapping[str, Operation], table: Sequence[Route] = ROUTES) -> Schema:
    """The document of a service. Raises UnboundRoute when its operations are not those of the table."""
    bound = bind(service, operations, table)
    refs, schemas = _schemas(operations.values())
    paths: dict[str, Schema] = {}
    for row, operation in bound:
        if row.method == "PATCH" and _is_model(operation.body):
            _keep_what_is_left_out(schemas[operation.body.__name__])
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Switchhook {service}", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": SECURITY_SCHEMES},
    }


def _schemas(operations: Iterable[Operation]) -> tuple[Refs, dict[str, Schema]]:
    """Model -> reference, and the definitions that these lead to."""
    models: list[type[BaseModel]] = [Problem]
    for operation in operations:
        models += [said.body for said in operation.answers.values() if said.body is not None]
        if _is_model(operation.body):
            models.append(operation.body)
    # "validation" for answers too: what has a default may be left out of them.
    found, definitions = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template=REF, schema_generator=Described
    )
    refs = {model: schema for (model, _), schema in found.items()}
    schemas = dict(sorted(definitions.get("$defs", {}).items()))
    field_words.tell(schemas)
    return refs, schemas


def _keep_what_is_left_out(patch: Schema) -> None:
    """What a change does not name stays as it is: the defaults of its model only fill the places."""
    for shown in patch.get("properties", {}).values():
        shown.pop("default", None)


def _is_model(body: Any) -> bool:
    return isinstance(body, type) and issubclass(body, BaseModel)


def _operation(row: Route, operation: Operation, refs: Refs) -> Schema:
    made: Schema = {
        "summary": row.what,
        "operationId": "_".join([row.method.lower(), *_words(row.path)]),
        "tags": [row.prefix],
        "security": _security(row),
        "parameters": list(_parameters(row, operation)),
        "responses": dict(_responses(row, operation, refs)),
    }
    if operation.text:
        made["description"] = operation.text
    if operation.body is not None:
        schema = refs[operation.body] if _is_model(operation.body) else {}
        made["requestBody"] = {"content": {operation.takes: {"schema": schema}}}
    return made


def _words(path: str) -> list[str]:
    return [part.strip("{}").replace("-", "_") for part in path.split("/")[2:]]


def _security(row: Route) -> list[dict[str, list[str]]]:
    """What a caller proves itself by; an empty object among others: there are callers who need nothing of it."""
    token: list[dict[str, list[str]]] = [{"token": [row.scope] if row.scope else []}]
    match row.proof:
        case "trigger":
            return [*token, {}]
        case "session":
            return [{"session": []}]
        case "token" | "operator":
            return token
        case _:
            return []


def _parameters(row: Route, operation: Operation) -> Iterator[Schema]:
    for name in row.parameters:
        yield {"name": name, "in": "path", "required": True, "schema": TEXT, "description": PARAMETERS[name]}
    for place, named in (("query", operation.query), ("header", operation.headers)):
        for name, schema in named.items():
            told = schema.get("description") or PARAMETERS[name]
            yield {"name": name, "in": place, "schema": schema, "description": told}


def _responses(row: Route, operation: Operation, refs: Refs) -> Iterator[tuple[str, Schema]]:
    for status, said in operation.answers.items():
        answer: Schema = {"description": said.what}
        if said.body is not None:
            answer["content"] = {said.media_type: {"schema": refs[said.body]}}
        elif said.media_type != JSON:
            answer["content"] = {said.media_type: {}}
        if said.others:
            answer["content"] |= {media_type: {} for media_type in said.others}
        if said.headers:
            answer["headers"] = {name: {"schema": TEXT, "description": HEADERS[name]} for name in said.headers}
        yield str(status), answer
    problem = {MEDIA_TYPE: {"schema": refs[Problem]}}
    if row.scope is not None:
        yield "401", {"description": "No token, or one that is not valid", "content": problem}
        yield "403", {"description": _needs(row), "content": problem}
    for status, why in operation.refusals.items():
        yield str(status), {"description": why, "content": problem}
    yield "default", {"description": "A refusal", "content": problem}


def _needs(row: Route) -> str:
    if row.proof == "operator":
        return "Only the operator's token may do this"
    return f"The token has no scope {row.scope}"
