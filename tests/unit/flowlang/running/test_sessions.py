"""Sessions: one that starts on top of another, expiry, errors nobody took, versions, budgets."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.running.bot_flows import BotFlows


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], **more}


def ask(to: str, text: str = "?", **more: Any) -> dict[str, Any]:
    input = {"type": "text", "save_to": "memory.answer"}
    return {"type": "ask", "text": text, "input": input, "timeout": "PT1H", "ports": {"ok": to}, **more}


NODES = {
    "ask": ask("done"),
    "done": say("Got {{ memory.answer }}, {{ memory.news }}"),
    "news": {"type": "set", "values": {"memory.news": "heard"}, "ports": {"next": "tell"}},
    "tell": say("News"),
    "other": ask("end", "Other?"),
    "end": say("Other done"),
    "call": {"type": "call_api", "api": "x", "ports": {"ok": "tell"}},
}
TRIGGERS = [
    {"id": "news", "type": "webhook", "to": "news"},
    {"id": "other", "type": "webhook", "to": "other"},
    {"id": "call", "type": "webhook", "to": "call"},
]


def test_a_trigger_while_a_question_waits_runs_and_the_question_goes_on_with_the_memory(talk: Any) -> None:
    t = talk(NODES, TRIGGERS)
    t.say("/go")
    t.start("news")
    assert t.texts == ["News"]
    assert t.waits_at == "ask"
    t.say("tea")
    assert t.texts == ["Got tea, heard"]


@pytest.mark.parametrize("ends", ["answer", "expiry"])
def test_a_full_memory_that_is_shared_is_stored_once_and_is_there_afterwards(talk: Any, ends: str) -> None:
    """The helper holds the state to its limit after each turn."""
    input = {"type": "text", "save_to": "memory.answer", "max_length": 16_000}
    nodes = NODES | {"first": ask("keep", input=input), "keep": {"type": "set", "values": {"memory.pad": "{{ memory.answer }}"}, "ports": {"next": "ask"}}}  # fmt: skip
    t = talk({"first": nodes.pop("first"), **nodes}, TRIGGERS, session_ttl="PT30M")
    t.say("/go")
    t.say("x" * 16_000)
    t.now = "2026-11-21T12:20:00Z"
    t.start("call")
    assert (t.waits_at, len(t.conversation.stack)) == ("call", 1)
    if ends == "answer":
        t.api_answers({"memory": {"news": "heard"}})
    else:
        session = t.conversation.session
        session.expires_at, t.conversation.stack[0].expires_at = t.now, "2026-11-22T12:00:00Z"
        t.start("news")
    assert (t.waits_at, len(t.memory["pad"]), t.memory["news"]) == ("ask", 16_000, "heard")


def test_a_trigger_that_comes_to_a_wait_of_its_own_ends_the_older(talk: Any) -> None:
    t = talk(NODES, TRIGGERS)
    t.say("/go")
    token = t.token
    t.start("other")
    assert (t.waits_at, t.conversation.stack) == ("other", [])
    assert t.event_data("session.expired") == {"reason": "superseded"}
    assert token in [effect.wait for effect in t.turn.effects if type(effect).__name__ == "CancelTimer"]
    t.fire(token)
    assert t.turn.effects == []
    t.say("x")
    assert t.texts == ["Other done"]
    assert t.conversation.session is None


def test_a_call_in_flight_is_no_wait_of_its_own(talk: Any) -> None:
    t = talk(NODES, TRIGGERS)
    t.say("/go")
    question = t.token
    t.start("call")
    assert len(t.conversation.stack) == 1
    t.say("tea")
    assert t.texts == []
    t.event("timer", wait=question)
    assert t.texts == []
    t.api_answers({"memory": {}})
    assert t.texts == ["News", "Got tea, "]


def test_a_command_inside_a_question_works_and_starts_over(talk: Any) -> None:
    t = talk(NODES, TRIGGERS)
    t.say("/go")
    t.say("/go")
    assert t.texts == ["?"]
    assert t.conversation.stack == []
    t.say("tea")
    assert t.conversation.session is None


def test_a_session_expires_by_its_timer(talk: Any) -> None:
    t = talk({"ask": {**ask("done"), "timeout": "P5D"}, "done": say("x")}, session_ttl="PT6H")
    t.say("/go")
    expiry = next(timer.wait for timer in t.timers if timer.due == "2026-11-21T18:00:00.000Z")
    question = t.token
    t.fire(expiry)
    assert t.events == ["session.expired"]
    assert [effect.wait for effect in t.turn.effects if type(effect).__name__ == "CancelTimer"] == [question]
    assert t.conversation.session is None
    t.say("late")
    assert t.texts == []


def test_a_session_whose_time_is_over_takes_nothing_even_before_its_timer(talk: Any) -> None:
    t = talk({"ask": {**ask("done"), "timeout": "P5D"}, "done": say("x")}, session_ttl="PT6H")
    t.say("/go")
    t.now = "2026-11-21T18:00:00Z"
    t.say("late")
    assert t.events == ["session.expired"]
    assert t.texts == []


def test_a_session_that_ends_in_its_first_turn_needs_no_timer(talk: Any) -> None:
    t = talk({"a": say("x")})
    t.say("/go")
    assert [type(effect).__name__ for effect in t.turn.effects] == ["EmitEvent", "Say", "EmitEvent"]


def test_a_session_that_ends_later_takes_its_timers_along(talk: Any) -> None:
    t = talk(NODES)
    t.say("/go")
    started = {timer.wait for timer in t.timers}
    t.say("tea")
    assert {effect.wait for effect in t.turn.effects if type(effect).__name__ == "CancelTimer"} == started


def test_an_error_without_a_port_fails_the_flow(talk: Any) -> None:
    t = talk({"c": {"type": "condition", "branches": [{"if": "user.name > 1", "to": "a"}]}, "a": say("x")})
    t.say("/go")
    assert t.events == ["flow.launched", "flow.failed"]
    assert t.event_data("flow.failed")["error"]["type"] == "expression"
    assert t.ends == {"e1": "failed"}
    assert t.conversation.session is None


def test_on_error_runs_once_and_sees_the_error(talk: Any) -> None:
    broken = {"type": "condition", "branches": [{"if": "user.name > 1", "to": "a"}]}
    nodes = {
        "c": broken,
        "a": say("x"),
        "sorry": say("Sorry: {{ temp.error.type }}", ports={"next": "again"}),
        "again": broken,
    }
    t = talk(nodes, on_error="sorry")
    t.say("/go")
    assert t.texts == ["Sorry: expression"]
    assert t.events.count("flow.failed") == 2
    assert t.conversation.session is None


def test_a_failed_run_lets_the_interrupted_question_go_on(talk: Any) -> None:
    broken = {"type": "condition", "branches": [{"if": "user.name > 1", "to": "ask"}]}
    t = talk({**NODES, "broken": broken}, [{"id": "b", "type": "webhook", "to": "broken"}, *TRIGGERS])
    t.say("/go")
    t.start("b")
    assert t.ends == {"e2": "failed"}
    assert t.waits_at == "ask"


def test_a_turn_has_a_budget_of_steps(talk_of: Any, story: Any) -> None:
    """Two flows that jump to each other: the checker sees one flow at a time."""
    one = story({"j": {"type": "jump", "flow": "two"}, "sorry": say("Enough")}, on_error="sorry")
    two = {**story({"j": {"type": "jump", "flow": "story"}, "sorry": say("Enough")}, on_error="sorry"), "slug": "two"}
    two["triggers"] = []
    t = talk_of(one, two)
    t.say("/go")
    assert len(t.turn.steps) <= 110
    assert len(t.turn.effects) > 0
    assert t.event_data("flow.failed")["error"]["type"] in ("step-budget", "too-many-effects")
    assert t.texts == ["Enough"]
    assert t.conversation.session is None


def test_a_turn_has_room_for_64_effects(talk: Any) -> None:
    parts = [{"text": "x"}] * 10
    nodes = {f"n{i}": {"type": "say", "parts": parts, "ports": {"next": f"n{i + 1}"}} for i in range(7)}
    t = talk({**nodes, "n7": {"type": "end"}})
    t.say("/go")
    assert len(t.turn.effects) <= 64
    assert t.event_data("flow.failed")["error"]["type"] == "too-many-effects"


def test_memory_that_is_full_is_an_error_and_stays_as_it_was(talk: Any) -> None:
    nodes = {
        "ask": {
            "type": "ask",
            "text": "?",
            "input": {"type": "text", "save_to": "temp.t", "max_length": 16000},
            "ports": {"ok": "set"},
        },
        "set": {
            "type": "set",
            "values": {"memory.a": "{{ event.text }}", "memory.b": "{{ event.text }}"},
            "ports": {"next": "more", "error": "full"},
        },
        "more": {"type": "set", "values": {"memory.c": "{{ event.text }}"}, "ports": {"error": "full"}},
        "full": ask("set", "{{ temp.error.type }}"),
    }
    t = talk(nodes)
    t.say("/go")
    t.say("x" * 15_000)
    assert t.texts == ["memory-full"]
    assert set(t.memory) == {"a", "b"}


def test_a_contact_that_is_full_is_an_error(talk: Any) -> None:
    t = talk({"s": {"type": "set", "values": {"user.x": "{{ user.old }}{{ user.old }}"}}})
    t.contact.variables["old"] = "x" * 30_000
    t.say("/go")
    assert t.event_data("flow.failed")["error"]["type"] == "contact-full"
    assert "x" not in t.contact.variables


def test_a_strict_flow_fails_on_what_is_missing(talk: Any) -> None:
    t = talk({"a": say("Hi {{ user.nickname }}", ports={"error": "b"}), "b": say("{{ temp.error.type }}")}, strict=True)
    t.say("/go")
    assert t.texts == ["missing-value"]


def test_a_running_session_stays_on_its_version(talk: Any, story: Any, compile_story: Any) -> None:
    t = talk({"ask": ask("old"), "old": say("Old")})
    t.say("/go")
    (old,) = t.graphs
    new = compile_story(story({"ask": ask("new"), "new": say("New")}), version=2)
    t.flows = BotFlows([new], lambda id, version: old if (id, version) == ("f1", 1) else None)
    t.say("x")
    assert t.texts == ["Old"]
    t.say("/go")
    t.say("x")
    assert t.texts == ["New"]


def test_a_session_whose_version_is_gone_for_ever_fails_loudly(talk: Any, story: Any, compile_story: Any) -> None:
    t = talk(NODES)
    t.say("/go")
    t.flows = BotFlows([compile_story(story(NODES), version=2)], lambda id, version: None)
    t.say("tea")
    assert t.event_data("flow.failed")["error"]["type"] == "version-gone"
    assert t.ends["e1"] == "failed"
    assert t.conversation.session is None


@pytest.mark.timeout(20)
def test_a_signal_for_an_interrupted_session_waits_until_the_call_in_flight_has_ended(talk: Any) -> None:
    nodes = {**NODES, "paid": {"type": "wait_event", "name": "paid", "ports": {"event": "done"}}}
    t = talk(nodes, [*TRIGGERS, {"id": "paid", "type": "webhook", "to": "paid"}])
    t.start("paid")
    t.start("call")
    t.event("signal", name="paid", data={})
    assert (t.waits_at, t.texts) == ("call", [])
    t.api_answers({"memory": {"news": "heard"}})
    assert t.texts == ["News", "Got , heard"]
    assert (t.conversation.session, t.conversation.queued) == (None, [])
