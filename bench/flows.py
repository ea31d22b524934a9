"""The flows that benches run."""

from __future__ import annotations

from typing import Any


def webhook_flow(url: str) -> dict[str, Any]:
    """A trigger and one send_webhook node: the shortest way from a request to a webhook."""
    return {
        "schema": "flow/1",
        "slug": "bench-webhook",
        "name": "Webhook",
        "start": "hook",
        "triggers": [
            {"id": "run", "type": "webhook", "to": "hook"},
            {"id": "hello", "type": "command", "value": "/start", "to": "greet"},
        ],
        "nodes": {
            "hook": {"type": "send_webhook", "title": "Bench", "url": url, "format": "switchhook"},
            "greet": {"type": "say", "parts": [{"text": "Hello"}]},
        },
    }


def one_node(slug: str, node: dict[str, Any]) -> dict[str, Any]:
    """A trigger and that node; `memory.text` may be set."""
    return {
        "schema": "flow/1",
        "slug": slug,
        "name": slug,
        "start": "node",
        "variables": {"text": {"type": "string", "scope": "memory"}},
        "triggers": [{"id": "run", "type": "webhook", "to": "node"}],
        "nodes": {"node": node},
    }


def three_nodes() -> dict[str, Any]:
    """A condition, a template that sets and a template that says."""
    return {
        "schema": "flow/1",
        "slug": "bench-three",
        "name": "Three nodes",
        "start": "check",
        "variables": {"points": {"type": "integer", "scope": "user"}, "line": {"type": "string", "scope": "memory"}},
        "triggers": [{"id": "go", "type": "command", "value": "/go", "to": "check"}],
        "nodes": {
            "check": {
                "type": "condition",
                "branches": [{"if": 'system.last_message == "/stop"', "to": "answer"}],
                "else": "note",
            },
            "note": {"type": "set", "values": {"memory.line": "for {{ user.name }}"}, "ports": {"next": "answer"}},
            "answer": {"type": "say", "parts": [{"text": "Noted {{ memory.line }}."}]},
        },
    }


def counted_nodes() -> dict[str, Any]:
    """The same with a condition that is not one comparison, and a filter: not cheap by their form."""
    document = three_nodes()
    nodes = document["nodes"]
    nodes["check"]["branches"][0]["if"] = '["/stop", "/end"].exists(end, end == system.last_message)'
    nodes["answer"]["parts"] = [{"text": "Noted {{ memory.line | upcase }}."}]
    return document
