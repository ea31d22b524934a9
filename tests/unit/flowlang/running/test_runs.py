"""Runs that other programs start: by trigger, command or generated URL, and commands for others."""

from __future__ import annotations

from typing import Any

import pytest

HELLO = {"hello": {"type": "say", "parts": [{"text": "Order {{ event.variables.order_id }}"}]}}
BOUGHT = [{"id": "bought", "type": "webhook", "accept": {"order_id": "string!", "sum": "number"}, "to": "hello"}]
URL = [{"id": "hook", "type": "command", "value": "/hook", "from": ["url"], "to": "hello"}]


def test_a_start_runs_the_entry_with_its_variables(talk: Any) -> None:
    t = talk(HELLO, BOUGHT)
    t.start("bought", order_id="A7", sum=3)
    assert t.texts == ["Order A7"]
    assert (t.turn.started, t.ends) == ("e1", {"e1": "completed"})
    assert t.event_data("flow.launched") == {"trigger": {"id": "bought", "type": "webhook"}}


def test_without_an_entry_it_begins_at_the_start(talk: Any) -> None:
    t = talk(HELLO)
    t.start()
    assert t.texts == ["Order "]
    assert t.event_data("flow.launched")["trigger"]["type"] == "api"


def test_variables_that_the_flow_declares_are_set_in_memory(talk: Any) -> None:
    nodes = {"d": {"type": "delay", "for": "PT1H"}}
    variables = {"order_id": {"scope": "memory"}, "lecture": {"scope": "user"}}
    t = talk(nodes, [{"id": "in", "type": "webhook", "to": "d"}], variables=variables)
    t.start("in", order_id="A7", lecture="3", other=1)
    assert t.memory == {"order_id": "A7"}
    assert "lecture" not in t.contact.variables


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "order_id is needed (string)"),
        ({"order_id": None}, "order_id is needed (string)"),
        ({"order_id": 7}, "order_id must be of type string"),
        ({"order_id": "x", "sum": "9"}, "sum must be of type number"),
        ({"order_id": "x", "sum": True}, "sum must be of type number"),
    ],
)
def test_wrong_variables_are_refused_and_nothing_runs(talk: Any, variables: dict[str, Any], says: str) -> None:
    t = talk(HELLO, BOUGHT)
    t.start("bought", **variables)
    assert t.turn.refused.status == 422
    assert says in t.turn.refused.detail
    assert (t.turn.effects, t.turn.rests) == ([], [])


@pytest.mark.parametrize(("flow_id", "entry"), [("gone", None), ("f1", "gone")])
def test_what_is_not_published_is_refused(talk: Any, flow_id: str, entry: str | None) -> None:
    t = talk(HELLO, BOUGHT)
    t.start(entry, flow_id=flow_id)
    assert (t.turn.refused.type, t.turn.refused.status) == ("trigger-unpublished", 404)


@pytest.mark.parametrize(
    ("chat", "state", "reason"),
    [
        ("private", "unknown", "has-not-talked"),
        ("private", "unsubscribed", "messages-not-allowed"),
        ("private", "blocked", "blocked"),
        ("private", "unreachable", "messages-not-allowed"),
        ("private", "not_in_chat", "not-in-chat"),
        ("group", "unknown", "not-in-chat"),
        ("group", "not_in_chat", "not-in-chat"),
        ("group", "blocked", "not-in-chat"),
        ("group", "unsubscribed", "messages-not-allowed"),
    ],
)
@pytest.mark.parametrize("kind", ["start", "command"])
def test_who_cannot_be_written_to_is_named_with_the_reason_and_nothing_is_sent(
    talk: Any, chat: str, state: str, reason: str, kind: str
) -> None:
    t = talk(HELLO, URL)
    t.conversation.chat, t.conversation.reachable = chat, state
    t.event(kind, flow_id="f1", command="/hook", variables={})
    refused = t.turn.refused
    assert (refused.type, refused.status, refused.reason) == ("peer-not-reachable", 409, reason)
    assert refused.detail.endswith(".")
    assert (t.turn.effects, t.turn.started) == ([], None)


def test_a_person_who_wrote_can_be_written_to(talk: Any) -> None:
    t = talk(HELLO, BOUGHT, talked=False)
    t.say("hi")
    t.start("bought", order_id="1")
    assert t.texts == ["Order 1"]


def test_a_condition_of_the_entry_that_is_not_met_refuses(talk: Any) -> None:
    t = talk(HELLO, [{**BOUGHT[0], "when": '"vip" in user.tags'}])
    t.start("bought", order_id="1")
    assert (t.turn.refused.type, t.turn.refused.status) == ("condition-not-met", 409)


def test_a_waiting_caller_hears_of_the_first_wait_with_the_last_message(talk: Any) -> None:
    nodes = {
        "a": {"type": "say", "parts": [{"text": "One"}, {"text": "Two"}], "ports": {"next": "ask"}},
        "ask": {"type": "ask", "text": "Three?", "input": {"type": "text"}, "ports": {"ok": "b"}},
        "b": {"type": "say", "parts": [{"text": "Done"}]},
    }
    t = talk(nodes)
    t.start()
    (end,) = t.turn.rests
    assert (end.cause, end.status, end.answer, end.since_seq) == ("e1", "waiting", "Three?", 1)
    t.say("ok")
    ends = {end.cause: (end.status, end.answer, end.since_seq) for end in t.turn.rests}
    assert ends["e2"] == ("completed", "Done", 4)
    assert ends["e1"][0] == "completed"


def test_a_url_answers_with_the_last_message_and_hears_of_errors(talk: Any) -> None:
    nodes = {"hello": {"type": "code", "source": "1", "ports": {"next": "bye"}}, "bye": {"type": "end"}}
    t = talk(nodes, URL)
    t.event("url", command="/hook", content={"a": 1}, content_raw="{}", options={"method": "POST"})
    assert t.turn.code.inputs["content"] == {"a": 1}
    assert t.turn.code.inputs["options"] == {"method": "POST"}
    t.code_gives(sent=["first", "last"])
    (end,) = t.turn.rests
    assert (end.status, end.answer) == ("completed", "last")
    t.event("url", command="/hook", content=None, content_raw="", options={})
    t.code_gives(ok=False, error="no such order")
    (end,) = t.turn.rests
    assert (end.status, end.error, end.error_type) == ("failed", "no such order", "code")
    assert "flow.failed" in t.events


def test_a_url_hears_of_an_error_even_where_on_error_ran(talk: Any) -> None:
    nodes = {"hello": {"type": "code", "source": "1"}, "sorry": {"type": "say", "parts": [{"text": "Sorry"}]}}
    t = talk(nodes, URL, on_error="sorry")
    t.event("url", command="/hook", content=None, content_raw="", options={})
    t.code_gives(ok=False, error="boom")
    assert t.texts == ["Sorry"]
    assert [(end.status, end.error) for end in t.turn.rests] == [("failed", "boom")]


def test_an_error_that_a_port_took_is_none_for_the_caller(talk: Any) -> None:
    nodes = {"hello": {"type": "code", "source": "1", "ports": {"error": "sorry"}}, "sorry": {"type": "end"}}
    t = talk(nodes, URL)
    t.event("url", command="/hook", content=None, content_raw="", options={})
    t.code_gives(ok=False, error="boom")
    assert t.ends == {"e1": "completed"}
    assert "flow.failed" not in t.events


def test_a_url_for_somebody_who_cannot_be_written_to_says_so_when_it_writes(talk: Any) -> None:
    t = talk(HELLO, URL)
    t.conversation.reachable = "blocked"
    t.event("url", command="/hook", content=None, content_raw="", options={})
    assert t.texts == []
    (end,) = t.turn.rests
    assert (end.status, end.error_type) == ("failed", "peer-not-reachable")


@pytest.mark.parametrize("kind", ["url", "command"])
def test_a_command_that_is_gone_is_refused(talk: Any, kind: str) -> None:
    t = talk(HELLO)
    t.event(kind, command="/gone", content=None, content_raw="", options={})
    assert (t.turn.refused.type, t.turn.refused.status) == ("command-unknown", 404)


# A URL that is for no person.


def test_without_a_person_what_is_said_is_the_answer(talk: Any) -> None:
    t = talk(HELLO, URL, nobody=True)
    t.event("url", command="/hook", content=None, content_raw="", options={})
    assert t.texts == ["Order "]
    assert [end.answer for end in t.turn.rests] == ["Order "]


@pytest.mark.parametrize(
    "node",
    [
        {"type": "say", "parts": [{"text": "{{ memory.x }}"}]},
        {"type": "set", "values": {"memory.x": "1"}},
        {"type": "condition", "branches": [{"if": "memory.x == 1", "to": "hello"}]},
        {"type": "set", "values": {"user.x": "1"}},
        {"type": "tag", "add": ["a"]},
        {"type": "ask", "text": "?", "input": {"type": "text"}},
        {"type": "hook_url", "command": "/x", "save_to": "temp.url"},
    ],
)
def test_without_a_person_memory_profile_and_questions_are_errors_and_on_error_does_not_run(
    talk: Any, node: Any
) -> None:
    t = talk({"start": node, **HELLO}, [{**URL[0], "to": "start"}], nobody=True, on_error="hello")
    t.event("url", command="/hook", content=None, content_raw="", options={})
    (end,) = t.turn.rests
    assert (end.status, end.error_type) == ("failed", "no-person")
    assert t.texts == []
    assert t.conversation.session is None


def test_without_a_person_user_is_empty_and_a_command_can_be_run_for_somebody(talk: Any) -> None:
    nodes = {
        "hello": {"type": "code", "source": "1", "ports": {"next": "say"}},
        "say": {"type": "say", "parts": [{"text": "[{{ user.name }}]"}]},
    }
    t = talk(nodes, URL, nobody=True)
    t.event("url", command="/hook", content={"user": 5}, content_raw="", options={})
    assert (t.turn.code.inputs["user"], t.turn.code.inputs["memory"]) == ({}, None)
    t.code_gives(runs=[{"command": "/paid", "user_id": 5, "content": {"sum": 1}}])
    (run,) = [effect for effect in t.turn.effects if type(effect).__name__ == "RunCommand"]
    assert (run.command, run.person, run.content) == ("/paid", {"peer_id": "5"}, {"sum": 1})
    assert t.texts == ["[]"]


def test_without_a_person_a_command_for_nobody_is_an_error(talk: Any) -> None:
    t = talk({"hello": {"type": "code", "source": "1"}}, URL, nobody=True)
    t.event("url", command="/hook", content=None, content_raw="", options={})
    t.code_gives(runs=[{"command": "/paid"}])
    assert [end.error_type for end in t.turn.rests] == ["no-person"]


def test_a_command_of_a_flow_runs_for_this_person_with_its_content(talk: Any) -> None:
    t = talk({"hello": {"type": "say", "parts": [{"text": "{{ event.content.sum }}"}]}}, URL)
    t.event("command", command="/hook", content={"sum": 9})
    assert t.texts == ["9"]
