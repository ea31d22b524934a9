"""The OpenAPI document of ingress, at /openapi/ingress.json: written by hand, as its routes are dispatched by hand."""

from __future__ import annotations

from typing import Any

from contracts.links import HookLink
from contracts.people import Person
from contracts.replies import ChatMessage
from servicekit.web.problems import MEDIA_TYPE

Schema = dict[str, Any]
PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "reason": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"pointer": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
EVENT: Schema = {
    "type": "object",
    "required": ["event_id", "status"],
    "properties": {
        "event_id": {"type": "string"},
        "status": {"enum": ["accepted", "started", "waiting", "completed", "failed"]},
        "answer": {"type": ["string", "null"]},
        "messages": {"type": "array", "items": {"$ref": "#/components/schemas/ChatMessage"}},
        "problem": {"$ref": "#/components/schemas/Problem"},
    },
}
RUN: Schema = {
    "type": "object",
    "properties": {
        "peer_id": {"type": ["string", "integer"], "description": "The person's id in the trigger's channel"},
        "person": {"$ref": "#/components/schemas/Person"},
        "variables": {"type": "object"},
        "token": {"type": "string", "description": "For callers that cannot set headers"},
        "wait": {"type": "number", "minimum": 0, "maximum": 30},
    },
}
MESSAGE: Schema = {
    "type": "object",
    "required": ["client_message_id"],
    "properties": {
        "client_message_id": {"type": "string", "maxLength": 128},
        "type": {"enum": ["text", "choice", "event"], "default": "text"},
        "text": {"type": "string", "maxLength": 16384},
        "payload": {"type": "string", "maxLength": 1024},
        "name": {"type": "string", "maxLength": 1024},
        "contact": {"type": "object"},
    },
}
MESSAGES: Schema = {
    "type": "object",
    "properties": {
        "messages": {"type": "array", "items": {"$ref": "#/components/schemas/ChatMessage"}},
        "last_seq": {"type": "integer"},
    },
}
SIGNAL: Schema = {
    "type": "object",
    "required": ["bot", "name", "person"],
    "properties": {
        "bot": {"type": "string"},
        "name": {"type": "string"},
        "person": {"$ref": "#/components/schemas/Person"},
        "data": {"type": "object"},
    },
}
ANYTHING: Schema = {}
BEARER: list[dict[str, list[str]]] = [{"token": []}]
SESSION: list[dict[str, list[str]]] = [{"session": []}]
LISTENING = ("after", "wait")


def document() -> dict[str, Any]:
    """The document; paths are those of contracts.routes."""
    schemas = {
        "Problem": PROBLEM, "Event": EVENT, "Run": RUN, "Message": MESSAGE, "Messages": MESSAGES, "Signal": SIGNAL,
        "Person": Person.model_json_schema(), **_chat_message(),
    }  # fmt: skip
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchhook ingress", "version": "1"},
        "paths": {path: {"parameters": _parameters(path), **item} for path, item in _paths().items()},
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "http", "scheme": "bearer", "description": "The token of a web chat session"},
            },
        },
    }


def _chat_message() -> dict[str, Schema]:
    whole = ChatMessage.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**whole.pop("$defs"), "ChatMessage": whole}


def _paths() -> dict[str, Any]:
    hook = (HookLink.__doc__ or "").splitlines()[0]
    sessions, chat = "/v1/web/{channel}/sessions", "/v1/web/{channel}/sessions/{session}"
    talks, talk = "/v1/talk/{bot}/sessions", "/v1/talk/{bot}/sessions/{session}/messages"
    return {
        "/v1/run/{trigger}": {"post": _operation("Start a scenario", "Run", 202, "Event", BEARER)},
        "/v1/w/{signed}": {
            "get": _operation(f"Run a command by a generated URL: {hook}", None, 200, None),
            "post": _operation("Run a command by a generated URL, with content", "Anything", 200, None),
        },
        "/v1/r/{signed}": {"get": _operation("Follow a tracked link", None, 302, None)},
        "/v1/in/{channel}/{random}": {
            "get": _operation("A platform's handshake", None, 200, None),
            "post": _operation("What a platform calls", "Anything", 200, None),
        },
        talks: {"post": _operation("Open a session of the Bot API", "Anything", 201, None, BEARER)},
        talk: {
            "post": _operation("Say something for a person", "Message", 202, "Event", BEARER),
            "get": _operation("The bot's messages, also as a stream", None, 200, "Messages", BEARER, LISTENING),
        },
        sessions: {"post": _operation("Open a web chat, or come back to it", "Anything", 201, None)},
        f"{chat}/messages": {"post": _operation("Say something", "Message", 202, None, SESSION)},
        f"{chat}/events": {
            "get": _operation("The bot's messages, also as a stream", None, 200, "Messages", SESSION, LISTENING)
        },
        "/v1/signals": {"post": _operation("Say that something happened", "Signal", 202, "Event", BEARER)},
    }


def _parameters(path: str) -> list[dict[str, Any]]:
    """What stands in braces in the path."""
    names = [part.strip("{}") for part in path.split("/") if part.startswith("{")]
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _operation(
    summary: str,
    body: str | None,
    status: int,
    answer: str | None,
    security: list[dict[str, list[str]]] | None = None,
    query: tuple[str, ...] = (),
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "summary": summary,
        "security": security or [],
        "responses": {str(status): _response(answer, "application/json"), "default": _response("Problem", MEDIA_TYPE)},
    }
    if query:
        made["parameters"] = [{"name": name, "in": "query", "schema": {"type": "integer"}} for name in query]
    if body is not None:
        schema = ANYTHING if body == "Anything" else {"$ref": f"#/components/schemas/{body}"}
        made["requestBody"] = {"content": {"application/json": {"schema": schema}}}
    return made


def _response(schema: str | None, media_type: str) -> dict[str, Any]:
    if schema is None:
        return {"description": "Done"}
    found = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {"description": schema, "content": {media_type: found}}
