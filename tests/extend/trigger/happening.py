"""What events do to a bot whose flows have `happens` triggers, of the package `happenings`: printed as JSON."""

from __future__ import annotations

from typing import Any

import orjson

from flowlang.language.check import check
from flowlang.language.schema import document_schema
from support.dialogue import Dialogue, document


def say(text: str) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}]}


EVENTS: dict[str, dict[str, Any]] = {
    "reachability": {"state": "subscribed", "before": "blocked", "reason": None, "chat": "private"},
    "contact_update": {"changed": [], "add_tags": ["vip"], "remove_tags": []},
    "message_result": {"action_id": "a", "seq": 3, "outcome": "sent", "provider_message_id": "9", "error": None},
    "signal": {"name": "paid", "data": {}},
    "timer": {"wait": "tomorrow"},
}
TRIGGERS = [{"id": kind, "type": "happens", "what": kind, "to": kind} for kind in EVENTS]
WITH = document(
    {
        "wait": {"type": "wait_event", "name": "shipped", "ports": {"event": "shipped"}},
        "shipped": say("It is on its way"),
        "contact_update": say("Tagged {{ event.add_tags | join }}"),
        **{kind: say(kind) for kind in EVENTS if kind != "contact_update"},
    },
    [
        {"id": "vip", "type": "happens", "what": "contact_update", "to": "shipped", "when": "'no' in event.add_tags"},
        *TRIGGERS,
    ],
)
WITHOUT = document({"hello": say("Hello")})


def entered(dialogue: Dialogue) -> dict[str, Any]:
    events = dialogue.events
    launched = dialogue.event_data("flow.launched")["trigger"] if "flow.launched" in events else None
    return {"texts": dialogue.texts, "path": dialogue.path, "launched": launched, "events": events}


def told(dialogue: Dialogue, kind: str, **data: Any) -> dict[str, Any]:
    version = dialogue.conversation.version
    dialogue.event(kind, **data)
    assert dialogue.conversation.version == version + 1
    return entered(dialogue)


def waiting() -> list[dict[str, Any]]:
    """A signal that the session waits for, and one that it does not."""
    dialogue = Dialogue(WITH)
    dialogue.say("/go")
    other = told(dialogue, "signal", name="paid", data={})
    assert dialogue.waits_at == "wait"
    return [other, told(dialogue, "signal", name="shipped", data={})]


def main() -> None:
    found = {
        "problems": {"good": check(WITH), "bad": check({**WITH, "triggers": [{**TRIGGERS[0], "what": "rain"}]})},
        "schema": document_schema(),
        "with": {kind: told(Dialogue(WITH), kind, **data) for kind, data in EVENTS.items()},
        "without": {kind: told(Dialogue(WITHOUT), kind, **data) for kind, data in EVENTS.items()},
        "waiting": waiting(),
    }
    print(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
