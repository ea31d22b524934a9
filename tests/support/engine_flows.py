"""Flow documents of these tests."""

from __future__ import annotations

from typing import Any

LECTURE: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "lecture",
    "name": "Choose a lecture",
    "start": "ask",
    "triggers": [
        {"id": "hello", "type": "command", "value": "/start", "to": "ask"},
        {"id": "bought", "type": "webhook", "accept": {"order_id": "string"}, "to": "paid"},
        {"id": "lost", "type": "no_match", "to": "sorry"},
    ],
    "variables": {"order_id": {"type": "string", "scope": "memory"}},
    "nodes": {
        "ask": {
            "type": "ask",
            "text": "Which lecture, {{ user.name }}?",
            "input": {
                "type": "choice",
                "options": [{"id": "1", "title": "Kafka"}, {"id": "2", "title": "Webhooks"}],
                "save_to": "user.lecture",
            },
            "retry": {"text": "One of these, please.", "max": 2},
            "ports": {"ok": "check", "invalid": "sorry"},
        },
        "check": {"type": "condition", "branches": [{"if": 'user.lecture == "1"', "to": "kafka"}], "else": "other"},
        "kafka": {"type": "say", "parts": [{"text": "Kafka it is."}]},
        "other": {"type": "say", "parts": [{"text": "You chose {{ user.lecture }}."}]},
        "sorry": {"type": "say", "parts": [{"text": "Sorry."}]},
        "paid": {"type": "say", "parts": [{"text": "Paid: {{ memory.order_id }}"}]},
    },
}
