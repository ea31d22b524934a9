"""Each mistake that is found on save: where it is told, under which code, and what is said to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from support.dialogue import document

SAY = {"type": "say", "parts": [{"text": "x"}]}
KNOWN = KnownNames(
    api_calls={"seats-left", "shipping"},
    flows={"welcome", "feedback"},
    commands={"chat /start": "welcome"},
    title_limits={"telegram": 10},
    segments={"students": True, "sleeping": False},
    text_limits={"telegram": (20, "characters")},
)


class Mistake(NamedTuple):
    what: str
    nodes: dict[str, Any]
    pointer: str
    severity: str
    code: str
    sentence: str
    fields: dict[str, Any] | None = None
    triggers: tuple[dict[str, Any], ...] = ()


def says(text: str, **more: Any) -> dict[str, Any]:
    return {"a": {"type": "say", "parts": [{"text": text, **more}]}}


def call(**more: Any) -> dict[str, Any]:
    return {"a": {"type": "call_api", "api": "seats-left", "ports": {"ok": "b", "error": "b"}, **more}, "b": SAY}


MISTAKES = (
    Mistake("an unknown target", {"start": {**SAY, "ports": {"next": "stat"}}}, "/nodes/start/ports/next", "error",
            "unknown-target", "there is no node 'stat': name one that exists or add it; the nearest is 'start'"),
    Mistake("an unknown start", {"a": SAY}, "/start", "error", "unknown-target",
            "there is no node 'b': name one that exists or add it; the nearest is 'a'", {"start": "b"}),
    Mistake("an unknown on_error", {"a": SAY}, "/on_error", "error", "unknown-target",
            "there is no node 'sorry': name one that exists or add it; the nearest is 'a'", {"on_error": "sorry"}),
    Mistake("a trigger that leads nowhere", {"a": SAY}, "/triggers/1/to", "error", "unknown-target",
            "there is no node 'b': name one that exists or add it; the nearest is 'a'",
            triggers=({"id": "n", "type": "no_match", "to": "b"},)),
    Mistake("an unreachable node", {"a": SAY, "b": SAY}, "/nodes/b", "error", "unreachable",
            "nothing leads here: draw a way to it or remove it"),
    Mistake("a cycle without a node that waits", {"a": {**SAY, "ports": {"next": "a"}}}, "/nodes/a", "error",
            "endless-cycle", "this goes round without ever waiting: put a question, a delay or an end into the circle"),
    Mistake("a variable that nobody writes", says("{{ memory.seets }}"), "/nodes/a/parts/0/text", "warning",
            "undeclared-variable", "memory.seets is neither declared in `variables` nor written by a node: it may be empty;"
            " the nearest known name is memory.seats", {"variables": {"seats": {"type": "integer"}}}),
    Mistake("a name with an unknown beginning", says("{{ usr.name }}"), "/nodes/a/parts/0/text", "error", "unknown-name",
            "there is no 'usr': a name begins with one of bot, contact, event, memory, system, temp, user; the nearest known"
            " name is user.name"),
    Mistake("an unknown API call", call(api="seat-left"), "/nodes/a/api", "error", "unknown-api-call",
            "there is no API call 'seat-left': make it, or name another; the nearest is 'seats-left'"),
    Mistake("an unknown flow", {"a": {"type": "jump", "flow": "welcom"}}, "/nodes/a/flow", "error", "unknown-flow",
            "there is no flow of this bot 'welcom': make it, or name another; the nearest is 'welcome'"),
    Mistake("an unknown segment", {"a": {"type": "condition", "branches": [{"if": "in_segment('student')", "to": "b"}]}, "b": SAY},
            "/nodes/a/branches/0/if", "error", "unknown-segment",
            "there is no segment 'student': make it, or name another; the nearest is 'students'"),
    Mistake("a segment that no flow may ask for",
            {"a": {"type": "condition", "branches": [{"if": "in_segment('sleeping')", "to": "b"}]}, "b": SAY},
            "/nodes/a/branches/0/if", "error", "unknown-segment", "the segment 'sleeping' asks for created_at, last_seen_at or"
            " channels, which a flow does not know: ask for something else"),
    Mistake("a secret outside of auth", says("{{ secret.crm }}"), "/nodes/a/parts/0/text", "error", "secret",
            "a secret stands only in auth headers, never in a text"),
    Mistake("a template that does not parse", says("{{ user.name"), "/nodes/a/parts/0/text", "error", "template", "the template does not parse: expected "),
    Mistake("a template that costs too much", says("{{ user.name }}" * 200),
            "/nodes/a/parts/0/text", "error", "template", "a template has at most 200 merge tags"),
    Mistake("an expression that does not parse", {"a": {"type": "condition", "branches": [{"if": "user.x >", "to": "a"}]}},
            "/nodes/a/branches/0/if", "error", "expression", "the expression does not parse: line 1:9: something is missing at the end"),
    Mistake("an expression that costs too much",
            {"a": {"type": "condition", "branches": [{"if": "user.tags.all(a, user.tags.all(b, a == b))", "to": "b"}]}, "b": SAY},
            "/nodes/a/branches/0/if", "error", "expression", "all() inside another such loop costs too much"),
    Mistake("a host that is not literal", {"a": {"type": "send_webhook", "title": "t", "url": "https://{{ user.x }}/"}},
            "/nodes/a/url", "error", "url", "write scheme, host and port out (https://host/…): merge tags go into path and query only"),
    Mistake("a title past a channel's limit", says("x", buttons=[{"id": "b", "title": "Eleven long", "to": "a"}]),
            "/nodes/a/parts/0/buttons/0/title", "warning", "title-too-long",
            "telegram shows 10 characters of a title, this one has 11"),
    Mistake("a text past a channel's limit", says("x" * 21), "/nodes/a/parts/0/text", "warning", "text-too-long",
            "telegram takes 20 characters of text, this one has 21: it is sent as several messages"),
    Mistake("a payload that is too long", says("x", buttons=[{"id": "b", "title": "B", "payload": "p" * 300}]),
            "/nodes/a/parts/0/buttons/0/payload", "error", "string-too-long", "it has to be a text of at most 200 characters"),
    Mistake("a call whose failure leads nowhere", call(ports={"ok": "b"}), "/nodes/a", "warning", "unhandled-error",
            "what it asks may fail, and then the flow ends without a word: draw `error`, or name a node as the flow's `on_error`"),
    Mistake("a wait that outlives its session", {"a": {"type": "delay", "for": "P3D", "ports": {"next": "b"}}, "b": SAY}, "/nodes/a/for", "warning",
            "session-ends-first", "the session ends P2D after it began, so this is never over before: raise `session_ttl`, or let"),
    Mistake("a question's time that outlives its session",
            {"a": {"type": "ask", "text": "?", "input": {"type": "text", "save_to": "user.x"}, "timeout": "PT48H", "ports": {"ok": "b", "timeout": "b"}}, "b": SAY},
            "/nodes/a/timeout", "warning", "session-ends-first", "the session ends P2D after it began, so this is never over before"),
    Mistake("two equal commands in a flow", {"a": SAY}, "/triggers/1/value", "error", "command-taken",
            "/go is a command of another trigger of this flow too: change one, or give one a `when`",
            triggers=({"id": "g", "type": "command", "value": "/GO", "to": "a"},)),
    Mistake("two equal commands in a bot", {"a": SAY}, "/triggers/1/value", "error", "command-taken",
            "/start is a command of the flow 'welcome' too: change one, or give one a `when`",
            triggers=({"id": "g", "type": "command", "value": "/start", "to": "a"},)),
    Mistake("a port that there is not", {"a": {**SAY, "ports": {"ok": "a"}}}, "/nodes/a/ports/ok", "error", "unknown-port",
            "say has no port 'ok'; it has next, error"),
    Mistake("a test case that is none", {"a": SAY}, "/tests/0/steps/0", "error", "value-error", "a step has one of say, tap",
            {"tests": [{"name": "t", "steps": [{"say": "a", "tap": "b"}]}]}),
)  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_a_mistake_is_told_with_its_place_and_what_to_do(mistake: Mistake) -> None:
    raw = document(mistake.nodes, list(mistake.triggers), **(mistake.fields or {}))
    found = {(problem.pointer, problem.code): problem for problem in check(raw, KNOWN)}
    assert (mistake.pointer, mistake.code) in found, list(found.values())
    problem = found[mistake.pointer, mistake.code]
    assert problem.severity == mistake.severity
    assert problem.message.startswith(mistake.sentence)
    assert problem.message


def test_a_call_may_leave_its_failure_to_the_flow() -> None:
    found = check(document(call(ports={"ok": "b"}), on_error="b"), KNOWN)
    assert [problem.code for problem in found] == []


def test_a_name_is_looked_for_only_so_often() -> None:
    nodes = {f"n{i}": {"type": "jump", "flow": f"welcom{i}"} for i in range(100)}
    near = [problem for problem in check(document(nodes), KNOWN) if "the nearest" in problem.message]
    assert len(near) == 10
