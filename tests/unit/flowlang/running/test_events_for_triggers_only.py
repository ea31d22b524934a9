"""Events that only a trigger can take change nothing where the bot has no such trigger."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.running import state

EVENTS: dict[str, dict[str, Any]] = {
    "reachability": {"state": "blocked", "before": "subscribed", "reason": None, "chat": "private"},
    "contact_update": {"changed": ["profile.city"], "add_tags": ["vip"], "remove_tags": []},
    "event": {"type": "tag.added", "tag": "vip"},
    "message_result": {"action_id": "a", "seq": 1, "outcome": "sent", "provider_message_id": "9", "error": None},
}
NODES = {
    "ask": {"type": "ask", "text": "?", "input": {"type": "text"}, "ports": {"ok": "end"}},
    "end": {"type": "end"},
}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("now", ["2026-11-21T12:00:01Z", "2027-11-21T12:00:00Z"], ids=["in time", "expired"])
def test_nothing_changes_but_the_version(talk: Any, kind: str, now: str) -> None:
    t = talk(NODES)
    t.say("/go")
    before = state.to_dict(t.conversation)
    t.now = now
    turn = t.event(kind, **EVENTS[kind])
    assert state.to_dict(t.conversation) == before | {"version": before["version"] + 1}
    assert (turn.effects, turn.steps, turn.rests, turn.started, turn.refused) == ([], [], [], None, None)
