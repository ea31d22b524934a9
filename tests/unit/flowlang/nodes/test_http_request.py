"""Requests that a flow describes: what leaves, what is kept, and what else may happen meanwhile."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.actions import HttpRequest
from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.language.document import load
from flowlang.model import RequestAction
from support.dialogue import Dialogue, document

BASE = {"id": "a", "project_id": "p", "bot_id": "b", "conversation": "b/c/1", "day": "2026-11-21", "created_at": "now"}


def say(text: str) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}]}


def asking(**more: Any) -> dict[str, Any]:
    return {
        "call": {
            "type": "http_request", "url": "https://api.example.com/m/{{ user.name }}", "save": {"memory.found": "data.name"},
            "ports": {"ok": "done", "error": "sorry", "timeout": "late"}, **more,
        },
        "done": say("Found {{ memory.found }}"),
        "sorry": say("{{ temp.error.type }}: {{ temp.error.detail }}"),
        "late": say("Too late"),
    }  # fmt: skip


def asked(t: Dialogue) -> HttpRequest:
    """The one request of the turn, as the dispatcher reads it."""
    (effect,) = t.effects(RequestAction)
    assert effect.kind == "http_request"
    return HttpRequest(**BASE, **effect.fields)


def test_a_get_has_its_values_in_the_url_and_the_query() -> None:
    t = Dialogue(document(asking(query={"n": {"cel": "1 + 1"}, "q": "{{ event.text }}", "both": ["a", "b"]}, headers={"X-Who": "{{ user.name }}"})))  # fmt: skip
    t.contact.profile["name"] = "A/n?"
    t.say("/go &x=1")
    request = asked(t)
    assert (request.method, request.url) == ("GET", "https://api.example.com/m/A%2Fn%3F")
    assert request.query == {"n": 2, "q": "/go &x=1", "both": ["a", "b"]}
    assert (request.headers, request.secrets) == ({"X-Who": "A/n?"}, {})
    assert (request.encoding, request.idempotent, request.answer, request.timeout_seconds) == (None, True, True, 10)
    assert (request.wait, t.ends, t.waits_at) == (t.token, {}, "call")


@pytest.mark.parametrize(
    ("body", "encoding", "sent"),
    [
        ({"json": {"a": '"{{ user.name }}"', "n": {"cel": "2"}}}, "json", {"a": '"A"nn"', "n": 2}),
        ({"json": ["{{ user.name }}"]}, "json", ['A"nn']),
        ({"form": {"a": "{{ user.name }}", "b": ["x", "y"]}}, "form", {"a": 'A"nn', "b": ["x", "y"]}),
        ({}, None, None),
    ],
)
def test_a_body_has_values_and_never_text_in_json(body: dict[str, Any], encoding: str | None, sent: Any) -> None:
    t = Dialogue(document(asking(method="POST", **body)))
    t.contact.profile["name"] = 'A"nn'
    t.say("/go")
    request = asked(t)
    assert (request.method, request.encoding, request.body, request.idempotent) == ("POST", encoding, sent, False)


def test_a_secret_is_a_name_for_the_engine_and_nothing_else_becomes_one() -> None:
    headers = {"X-Api-Key": "secret.crm", "X-Said": "{{ event.text }}"}
    t = Dialogue(document(asking(auth="secret.shop", headers=headers)))
    t.say("secret.crm")
    t.say("/go")
    request = asked(t)
    assert request.secrets == {"X-Api-Key": "crm", "Authorization": "shop"}
    assert request.headers == {"X-Said": "/go"}
    (node, *_) = load(document(asking(auth="secret.shop", headers=headers))).nodes.values()
    assert {name for name, _ in node.secrets_sent()} == {"crm", "shop"}


@given(st.text(max_size=50))
def test_whatever_a_person_writes_the_request_goes_where_the_flow_says(said: str) -> None:
    values = {"headers": {"X-Said": "{{ event.text }}"}, "query": {"q": "{{ event.text }}"}}
    t = Dialogue(document(asking(url="https://api.example.com/a/{{ event.text }}/b", **values)))
    t.say("/go " + said)
    if t.effects(RequestAction):
        request = asked(t)
        path = request.url.removeprefix("https://api.example.com/a/").removesuffix("/b")
        assert not {"/", "?", "#", " ", "\n"} & set(path)
        assert (request.secrets, request.headers["X-Said"].isprintable()) == ({}, True)
    else:
        assert t.texts[0].split(":")[0] in ("header", "url")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"headers": {"X-A": "a\n{{ user.name }}"}}, "header"),
        ({"url": "https://api.example.com/{{ user.way }}"}, "url"),
        ({"url": "https://api.example.com/{{ event.text }}"}, "url"),
        ({"method": "POST", "json": {"a": {"cel": "[event.text, event.text, event.text]"}}}, "request-too-large"),
    ],
)
def test_what_cannot_be_sent_leaves_by_error(more: dict[str, Any], error: str) -> None:
    t = Dialogue(document(asking(**more)))
    t.contact.variables["way"] = ".."
    t.say("/go" + "x" * 50_000 if "event" in str(more) else "/go")
    if not t.texts:
        t.say("/go " + "x" * 50_000)
    assert t.texts[0].startswith(f"{error}:")
    assert t.effects(RequestAction) == []


def test_values_of_the_answer_are_kept() -> None:
    t = Dialogue(document(asking(save={"memory.found": "data.name", "user.age": "data.age", "temp.none": "x.y"})))
    t.say("/go")
    t.api_answers({"data": {"name": "{{ user.name }}", "age": 7}})
    assert (t.texts, t.contact.variables["age"]) == (["Found {{ user.name }}"], 7)


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"outcome": "timeout", "error": {"type": "timeout", "detail": "slow"}}, "Too late"),
        ({"outcome": "error", "status": 404, "error": {"type": "http-404", "detail": "gone"}}, "http-404: gone"),
        ({"outcome": "error"}, "error: https://api.example.com gave no usable answer"),
    ],
)
def test_a_failure_leaves_by_its_port_with_the_reason(result: dict[str, Any], text: str) -> None:
    t = Dialogue(document(asking()))
    t.say("/go")
    t.api_answers(**result)
    assert t.texts == [text]


def test_the_time_out_and_the_answer_are_decided_by_their_order() -> None:
    for first, text in (("timer", "Too late"), ("answer", "Found A")):
        t = Dialogue(document(asking(timeout="PT5S")))
        t.say("/go")
        assert (asked(t).timeout_seconds, t.timers[0].due) == (5, "2026-11-21T12:00:05.000Z")
        token = t.token
        moves = [
            lambda t=t, token=token: t.fire(token),
            lambda t=t, token=token: t.api_answers({"data": {"name": "A"}}, wait=token),
        ]
        for move in moves if first == "timer" else reversed(moves):
            move()
            if not t.texts:
                assert t.turn.effects == []
            else:
                assert t.texts == [text]
        assert t.conversation.session is None


ANY = {"id": "any", "type": "any_message", "to": "late"}


@pytest.mark.parametrize(
    ("manner", "at_once", "then"), [("queue", [], ["Found A", "Too late", "Too late"]), ("interrupt", ["Too late"], ["Found A"]), ("ignore", [], ["Found A"])]
)  # fmt: skip
def test_messages_meanwhile_are_kept_taken_or_dropped(manner: str, at_once: list[str], then: list[str]) -> None:
    t = Dialogue(document(asking(while_waiting=manner), [ANY]))
    t.say("/go")
    token = t.token
    for _ in range(2):
        t.say("hello?")
        assert t.texts == at_once
    t.api_answers({"data": {"name": "A"}}, wait=token)
    assert t.texts == then
    t.api_answers({"data": {"name": "B"}}, wait=token)
    assert (t.turn.effects, t.turn.steps[0]["port"]) == ([], "late")


def test_a_second_tap_on_the_button_that_leads_there_makes_no_second_request() -> None:
    nodes = {
        "offer": {"type": "say", "parts": [{"text": "?", "buttons": [{"id": "b", "title": "Look", "to": "call"}]}]}
    }
    t = Dialogue(document(nodes | asking()))
    t.say("/go")
    payload = t.payloads["Look"]
    t.say(None, payload=payload)
    asked(t)
    t.say(None, payload=payload)
    assert t.effects(RequestAction) == []
    t.api_answers({"data": {"name": "A"}})
    assert t.effects(RequestAction) == []


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"url": "https://{{ user.site }}/x"}, "/url"),
        ({"url": "https://api.example.com:99999/x"}, "/url"),
        ({"url": "ftp://api.example.com/"}, "/url"),
        ({"json": {}, "method": "GET"}, ""),
        ({"json": {}, "form": {}, "method": "POST"}, ""),
        ({"headers": {"Authorization": "x"}}, "/headers"),
        ({"headers": {"Host": "x"}}, "/headers"),
        ({"headers": {"a b": "x"}}, "/headers"),
        ({"auth": "crm"}, "/auth"),
        ({"auth": "secret.gone"}, "/auth"),
        ({"auth": "secret.elsewhere"}, "/auth"),
        ({"headers": {"X-Key": "secret.gone"}}, "/headers/X-Key"),
        ({"query": {"q": "{{ secret.crm }}"}}, "/query/q"),
        ({"save": {"memory.x": "["}}, "/save/memory.x"),
        ({"method": "TRACE"}, "/method"),
    ],
)
def test_what_is_wrong_is_told_on_save(more: dict[str, Any], pointer: str) -> None:
    secrets = {"crm": (), "elsewhere": ("https://other.example.com",), "here": ("https://api.example.com",)}
    found = check(document(asking(**more)), KnownNames(secrets=secrets))
    assert any(problem.pointer.startswith(f"/nodes/call{pointer}") for problem in found if problem.severity == "error")
    sound = check(document(asking(auth="secret.crm", headers={"X-Key": "secret.here"})), KnownNames(secrets=secrets))
    assert [problem for problem in sound if problem.severity == "error"] == []
