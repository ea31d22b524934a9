"""Two bots beside those that people count aloud to: what happens to their people is judged by itself.

One has agents, and people who are erased; the other tells its people of something. What they are told on is a host of
their own.
"""

from __future__ import annotations

from typing import Any

import orjson

from contracts.registry import ApiCall, Bot, Channel, Flow, FlowVersion, Project
from simulation.tenants import KEYS, SIGNING_SECRET

PROJECT, HOST, API_HOST = "project-desk", "desk.test", "desk-api.test"
DESK, NEWS = "desk", "news"
COMING, NOBODY_THERE, BACK, FOUND = "A colleague is coming.", "Nobody is there.", "I am back.", "found"
QUEUE_SECONDS = 2
FLOW: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "desk",
    "name": "Desk",
    "start": "echo",
    "variables": {"title": {"type": "string", "scope": "memory"}},
    "triggers": [
        {"id": "said", "type": "no_match", "to": "echo"},
        {"id": "human", "type": "command", "value": "/human", "to": "human"},
        {"id": "call", "type": "command", "value": "/call", "to": "call"},
        {"id": "told", "type": "webhook", "accept": {"title": "string!"}, "to": "tell"},
    ],
    "nodes": {
        "echo": {"type": "say", "parts": [{"text": "echo {{ system.last_message }}"}]},
        "tell": {"type": "say", "parts": [{"text": "{{ memory.title }}"}]},
        "human": {
            "type": "live_chat", "queue": "Sales", "text": COMING, "timeout": f"PT{QUEUE_SECONDS}S",
            "ports": {"closed": "back", "timeout": "nobody"},
        },
        "back": {"type": "say", "parts": [{"text": BACK}]},
        "nobody": {"type": "say", "parts": [{"text": NOBODY_THERE}]},
        "call": {"type": "call_api", "api": "look-up", "ports": dict.fromkeys(("ok", "error", "timeout"), "found")},
        "found": {"type": "say", "parts": [{"text": FOUND}]},
    },
}  # fmt: skip


def desk_entities() -> list[Any]:
    """Of the registry of every run."""
    secret = KEYS.seal(SIGNING_SECRET.encode(), project=PROJECT, entity=PROJECT, field="signing_secret")
    made: list[Any] = [
        Project(id=PROJECT, name="Desk", slug="desk", signing_secret=secret),
        ApiCall(id="api-desk", project_id=PROJECT, name="look-up", method="POST", url=f"http://{API_HOST}/"),
    ]
    for number, bot in enumerate((DESK, NEWS), 1000):
        credentials = orjson.dumps({"token": f"{number}:simulated", "secret_token": "s"})
        channel, flow = f"{bot}-tg", f"{bot}-flow"
        made += [
            Bot(id=bot, project_id=PROJECT, name=bot),
            FlowVersion(flow_id=flow, project_id=PROJECT, bot_id=bot, version=1, document=FLOW),
            Flow(id=flow, project_id=PROJECT, bot_id=bot, slug="desk", name="Desk", published=1),
            Channel(
                id=channel, project_id=PROJECT, bot_id=bot, type="telegram", name="Telegram", external_id=str(number),
                api_base_url=f"http://{HOST}",
                credentials=KEYS.seal(credentials, project=PROJECT, entity=channel, field="credentials"),
            ),
        ]  # fmt: skip
    return made
