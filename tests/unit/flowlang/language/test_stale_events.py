"""The author is told where a text reads of `event` what an earlier event had; and only there."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.language.check import check
from support.dialogue import document

CALL = {"type": "call_api", "api": "x"}
ASK = {"type": "ask", "text": "?", "input": {"type": "text"}}
WEBHOOK = {"id": "w", "type": "webhook", "to": "start"}


def say(text: str, **ports: str) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], "ports": ports}


def warned(nodes: dict[str, Any]) -> dict[str, str]:
    """Pointer to sentence."""
    problems = check(document(nodes, [WEBHOOK], on_error="failed"))
    return {problem.pointer: problem.message for problem in problems if problem.code == "stale-event"}


def story(waits: dict[str, Any], text: str, *ports: str) -> dict[str, Any]:
    return {
        "start": say("Hello {{ event.variables.name }}", next="waits"),
        "waits": {**waits, "ports": dict.fromkeys(ports, "after")},
        "after": say(text),
        "failed": say("{{ event.variables.name }}"),
    }


@pytest.mark.parametrize(
    ("waits", "text", "port", "now"),
    [
        (CALL, "{{ event.text }}", "ok", "the answer of a call"),
        (CALL, "{{ event.content.order }}", "timeout", "the answer of a call"),
        (ASK, "{{ event.variables.order }}", "ok", "the person's answer"),
        (ASK, "{{ event.text }}", "timeout", "that a time is over"),
        ({"type": "delay", "for": "PT1H"}, "{{ event.text }}", "next", "that a time is over"),
        ({"type": "wait_event", "name": "paid"}, "{{ event.options.method }}", "event", "the signal"),
    ],
)
def test_what_an_earlier_event_had_is_told(waits: dict[str, Any], text: str, port: str, now: str) -> None:
    [(place, sentence)] = warned(story(waits, text, port)).items()
    assert place == "/nodes/after/parts/0/text"
    assert sentence.startswith(f"`event` is {now}")
    assert "keep it before, by `set` as memory." in sentence


@pytest.mark.parametrize(
    ("waits", "text", "ports"),
    [
        (ASK, "{{ event.text }} {{ event.payload }}", ("ok",)),
        (ASK, "{{ event.text }}", ("ok", "timeout")),  # By one of the ways it is there.
        (CALL, "{{ event.variables.name }}", ("ok", "error")),  # It may fail before it is made.
        (CALL, "{{ event.body.seats }} {{ event.something }}", ("ok",)),
        ({"type": "wait_event", "name": "paid"}, "{{ event.data.order }}", ("event",)),
        ({"type": "call", "flow": "other"}, "{{ event.text }}", ("next",)),
        ({"type": "live_chat"}, "{{ event.text }}", ("next",)),
        ({"type": "code", "source": "1"}, "{{ event.variables.name }}", ("next",)),
    ],
)
def test_what_may_be_there_is_not(waits: dict[str, Any], text: str, ports: tuple[str, ...]) -> None:
    assert warned(story(waits, text, *ports)) == {}


def test_the_text_of_a_node_that_waits_is_read_before_and_what_it_tells_of_the_answer_after() -> None:
    asking = {**ASK, "text": "{{ event.variables.name }}?", "retry": {"text": "{{ event.text }}?"}}
    assert warned(story(asking, "Bye", "ok")) == {}


def test_buttons_and_options_lead_on_by_a_message_and_a_circle_is_walked() -> None:
    option = {"id": "x", "title": "X", "to": "tapped"}
    nodes = {
        "start": {"type": "say", "parts": [{"text": "?", "buttons": [option]}], "ports": {"next": "choose"}},
        "tapped": say("{{ event.variables.a }}"),
        "choose": {"type": "ask", "text": "?", "input": {"type": "choice", "options": [{**option, "to": "again"}]}},
        "again": {"type": "delay", "for": "PT1H", "ports": {"next": "timed"}},
        "timed": say("{{ event.text }}", next="choose"),
        "failed": say("Sorry"),
    }
    assert set(warned(nodes)) == {"/nodes/tapped/parts/0/text", "/nodes/timed/parts/0/text"}
