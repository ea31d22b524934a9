"""Flow documents of the engine's tests."""

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


def _flow(slug: str, triggers: list[dict[str, Any]], nodes: dict[str, Any]) -> dict[str, Any]:
    start = next(iter(nodes))
    return {"schema": "flow/1", "slug": slug, "name": slug, "start": start, "triggers": triggers, "nodes": nodes}


CALL = _flow(
    "seats",
    [
        {"id": "seats", "type": "command", "value": "/seats", "to": "call"},
        {"id": "nowhere", "type": "command", "value": "/nowhere", "to": "unknown"},
        {"id": "asked", "type": "webhook", "to": "call"},
    ],
    {
        "call": {"type": "call_api", "api": "seats-left", "params": {}, "ports": {"ok": "tell", "error": "failed"}},
        "unknown": {"type": "call_api", "api": "no-such-api", "params": {}, "ports": {"ok": "tell", "error": "failed"}},
        "tell": {"type": "say", "parts": [{"text": "Seats: {{ memory.seats }}"}]},
        "failed": {"type": "say", "parts": [{"text": "No answer."}]},
    },
)
CARDS = _flow(
    "cards",
    [{"id": "cards", "type": "command", "value": "/cards", "to": "show"}],
    {
        "show": {
            "type": "say",
            "parts": [
                {
                    "text": "Which?",
                    "cards": [
                        {
                            "title": "Tea",
                            "image": "https://shop.example.com/tea.png",
                            "buttons": [{"id": "tea", "title": "Buy"}],
                        },
                        {"title": "Cup"},
                    ],
                }
            ],
        },
    },
)
DELAY = _flow(
    "later",
    [{"id": "later", "type": "command", "value": "/later", "from": ["chat", "url"], "to": "now"}],
    {
        "now": {"type": "say", "parts": [{"text": "Soon."}], "ports": {"next": "wait"}},
        "wait": {"type": "delay", "for": "PT1S", "ports": {"next": "then"}},
        "then": {"type": "say", "parts": [{"text": "Here I am."}]},
    },
)
CODE = _flow(
    "code",
    [{"id": "code", "type": "command", "value": "/code", "from": ["chat", "url"], "to": "run"}],
    {
        "run": {
            "type": "code",
            "source": "if content == 'bad':\n    fail('no money')\nsend(f'Got {content}')\nif content == 'tell':\n    run('/start', user_id='p9')\n",
        }
    },
)
REPORT = _flow(
    "report",
    [{"id": "report", "type": "command", "value": "/report", "to": "note"}],
    {
        "note": {"type": "set", "values": {"user.points": {"cel": "7"}}, "ports": {"next": "tag"}},
        "tag": {"type": "tag", "add": ["vip"], "push_profile": True, "ports": {"next": "send"}},
        "send": {"type": "send_webhook", "title": "Points {{ user.points }}", "url": "https://crm.example.com/hook"},
    },
)
HUGE = _flow(
    "huge",
    [{"id": "huge", "type": "command", "value": "/huge", "to": "code"}],
    {"code": {"type": "code", "source": "for n in range(60):\n    send('x' * 60000)\n"}},
)
