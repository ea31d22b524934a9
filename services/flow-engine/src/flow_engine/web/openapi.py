"""The OpenAPI document of the engine, at /openapi/flow-engine.json: written by hand, it has one route."""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string"}
_OR_NULL = {"type": ["string", "null"]}
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["event_id", "status", "conversation_id", "steps", "messages", "deliveries"],
    "properties": {
        "event_id": _TEXT,
        "status": {"enum": ["started", "waiting", "completed", "rejected", "failed"]},
        "problem": {"type": ["object", "null"], "description": "Why it was rejected or failed: an RFC 9457 problem."},
        "conversation_id": _OR_NULL,
        "answer": _OR_NULL | {"description": "Text of the last message sent on its behalf."},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "flow_id": _TEXT,
                    "flow_version": {"type": "integer"},
                    "node": _OR_NULL,
                    "type": _TEXT,
                    "port": _OR_NULL,
                },
            },
        },
        "messages": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"seq": {"type": "integer"}, "id": _TEXT, "at": _TEXT, "content": {"type": "object"}},
            },
        },
        "deliveries": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": _TEXT, "kind": _TEXT}},
            "description": "Ids that GET /v1/deliveries/{id} takes.",
        },
    },
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Switchhook flow-engine", "version": "1"},
    "paths": {
        "/v1/events/{event_id}": {
            "get": {
                "summary": "What became of an event",
                "description": "With `data:read`, or with the token of the trigger that the event came by.",
                "parameters": [{"name": "event_id", "in": "path", "required": True, "schema": _TEXT}],
                "responses": {
                    "200": {"description": "The event", "content": {"application/json": {"schema": _EVENT}}},
                    "401": {"description": "No valid token"},
                    "403": {"description": "The token may not read this event"},
                    "404": {"description": "No such event, or it has not been applied yet"},
                },
            }
        }
    },
}
