"""Versions that were published once, as they run: this release may refuse what an earlier one took."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.problems import FlowInvalid
from support.dialogue import compiled, document

END = {"type": "end"}


@pytest.mark.parametrize(
    "change",
    [
        {"nodes": {"a": {"type": "gone"}}},
        {"start": "nowhere"},
        {"on_error": "nowhere"},
        {"triggers": [{"id": "x", "type": "any_message", "to": "nowhere"}]},
        {"session_ttl": "soon"},
        {"schema": "flow/9"},
    ],
)
def test_what_cannot_run_at_all_is_refused_when_it_is_read(change: dict[str, Any]) -> None:
    with pytest.raises(FlowInvalid):
        compiled(document({"a": END}, **change) if "nodes" not in change else {**document({"a": END}), **change})


@pytest.mark.parametrize(
    "node",
    [
        {"type": "say", "parts": [], "ports": {"error": "sorry"}},
        {"type": "hook_url", "command": "/x", "save_to": "nowhere", "ports": {"error": "sorry"}},
        {"type": "say", "parts": [{"text": "{% if %}"}], "ports": {"error": "sorry"}},
        {"type": "say", "parts": [{"text": "{{ user.name"}], "ports": {"error": "sorry"}},
        {"type": "condition", "branches": [{"if": "user.", "to": "sorry"}], "ports": {"error": "sorry"}},
        {"type": "jump", "to": "nowhere"},
    ],
)
def test_a_node_that_cannot_run_is_left_by_its_error_port(talk: Any, node: dict[str, Any]) -> None:
    sorry = {"type": "say", "parts": [{"text": "Sorry: {{ temp.error.type }}"}]}
    t = talk({"a": node, "sorry": sorry}, on_error="sorry")
    t.say("/go")
    assert len(t.texts) == 1
    assert t.texts[0].startswith("Sorry: ")


def test_a_path_into_an_answer_that_does_not_parse_fails_when_it_is_used(talk: Any) -> None:
    call = {"type": "call_api", "api": "a", "response": "raw", "save": {"temp.x": "[["}, "ports": {"error": "sorry"}}
    t = talk({"a": call, "sorry": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]}})
    t.say("/go")
    t.api_answers({"x": 1})
    assert t.texts == ["json-path"]


def test_an_answers_pattern_that_does_not_parse_is_none_that_fits(talk: Any) -> None:
    ask = {
        "type": "ask",
        "text": "?",
        "input": {"type": "text", "pattern": "(("},
        "retry": {"max": 0},
        "ports": {"invalid": "no"},
    }
    t = talk({"a": ask, "no": {"type": "say", "parts": [{"text": "no"}]}})
    t.say("/go")
    t.say("x")
    assert t.texts[-1] == "no"
