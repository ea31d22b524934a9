"""What the checker says, each with its place."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.language.document import load, parse
from flowlang.problems import FlowInvalid

END = {"type": "end"}
SAY = {"type": "say", "parts": [{"text": "x"}]}


def found(document: dict[str, Any], known: KnownNames | None = None) -> dict[str, str]:
    """Pointer to code of all problems."""
    return {problem.pointer: problem.code for problem in check(document, known)}


def test_a_sound_flow_has_no_problems(story: Any) -> None:
    assert found(story({"a": SAY})) == {}


@pytest.mark.parametrize(
    ("nodes", "pointer", "code"),
    [
        ({"a": {**SAY, "ports": {"next": "gone"}}}, "/nodes/a/ports/next", "unknown-target"),
        ({"a": {**SAY, "ports": {"ok": "a"}}}, "/nodes/a/ports/ok", "unknown-port"),
        ({"a": SAY, "b": SAY}, "/nodes/b", "unreachable"),
        ({"a": {"type": "jump", "to": "a"}}, "/nodes/a", "endless-cycle"),
        ({"a": {"type": "say", "parts": [{"text": "{{ user.name"}]}}, "/nodes/a/parts/0/text", "template"),
        ({"a": {"type": "say", "parts": [{"text": "{{ name }}"}]}}, "/nodes/a/parts/0/text", "unknown-name"),
        ({"a": {"type": "say", "parts": [{"text": "{{ secret.crm }}"}]}}, "/nodes/a/parts/0/text", "secret"),
        (
            {"a": {"type": "condition", "branches": [{"if": "user.x >", "to": "a"}]}},
            "/nodes/a/branches/0/if",
            "expression",
        ),
        ({"a": {"type": "set", "values": {"bot.x": "1"}}}, "/nodes/a/values/bot.x", "target"),
        ({"a": {"type": "set", "values": {"user.tags": "1"}}}, "/nodes/a/values/user.tags", "target"),
        (
            {"a": {"type": "send_webhook", "title": "t", "url": "https://{{ user.x }}/"}},
            "/nodes/a/url",
            "url",
        ),
        ({"a": {"type": "code", "source": "if x"}}, "/nodes/a/source", "code"),
        (
            {"a": {**SAY, "report": {"title": "t", "url": "https://a.example/", "when": "answered?"}}},
            "/nodes/a/report/when",
            "report",
        ),
        ({"a": {"type": "tag"}}, "/nodes/a", "nothing-to-do"),
        (
            {"a": {"type": "ask", "text": "?", "input": {"type": "text", "pattern": "("}}},
            "/nodes/a/input/pattern",
            "pattern",
        ),
        (
            {"a": {"type": "call_api", "api": "x", "response": "raw", "save": {"memory.a": "[["}}},
            "/nodes/a/save/memory.a",
            "json-path",
        ),
        (
            {"a": {"type": "say", "parts": [{"text": "x", "buttons": [{"id": "b", "title": "B", "to": "gone"}]}]}},
            "/nodes/a/parts/0/buttons/0/to",
            "unknown-target",
        ),
        (
            {"a": {"type": "say", "parts": [{"text": "x", "buttons": [{"id": "b", "title": "B", "url": "ftp://x/"}]}]}},
            "/nodes/a/parts/0/buttons/0/url",
            "url",
        ),
        (
            {
                "a": {
                    "type": "ask",
                    "text": "?",
                    "input": {"type": "choice", "options": [{"id": "1", "title": "A"}, {"id": "1", "title": "B"}]},
                }
            },
            "/nodes/a/input/options/1/id",
            "duplicate-id",
        ),
    ],
)
def test_a_problem_has_its_place_and_code(story: Any, nodes: dict[str, Any], pointer: str, code: str) -> None:
    assert found(story(nodes)).get(pointer) == code


def test_a_cycle_is_harmless_where_something_waits_on_it(story: Any) -> None:
    delay = {"type": "delay", "for": "PT1H", "ports": {"next": "a"}}
    assert found(story({"a": {**SAY, "ports": {"next": "d"}}, "d": delay})) == {}
    button = {"id": "again", "title": "Again", "to": "a"}
    assert found(story({"a": {"type": "say", "parts": [{"text": "x", "buttons": [button]}]}})) == {}


def test_a_long_cycle_behind_other_nodes_is_found_once(story: Any) -> None:
    nodes = {f"n{i}": {**SAY, "ports": {"next": f"n{i + 1}"}} for i in range(5)}
    codes = found(story({**nodes, "n5": {**SAY, "ports": {"next": "n2"}}}))
    assert list(codes.values()) == ["endless-cycle"]


def test_what_the_bot_does_not_have_is_named(story: Any) -> None:
    nodes = {
        "a": {"type": "call_api", "api": "gone", "ports": {"ok": "b", "error": "b"}},
        "b": {"type": "jump", "flow": "gone"},
    }
    known = KnownNames(api_calls={"seats"}, flows={"other"})
    assert found(story(nodes), known) == {"/nodes/a/api": "unknown-api-call", "/nodes/b/flow": "unknown-flow"}
    assert found(story(nodes)) == {}


def test_two_equal_commands_are_an_error_in_a_flow_and_across_flows(story: Any) -> None:
    again = [{"id": "again", "type": "command", "value": "/GO", "to": "a"}]
    assert found(story({"a": SAY}, again)) == {"/triggers/1/value": "command-taken"}
    other = KnownNames(commands={"chat /go": "other"})
    assert found(story({"a": SAY}), other) == {"/triggers/0/value": "command-taken"}
    from_url = [{"id": "again", "type": "command", "value": "/go", "from": ["url"], "to": "a"}]
    assert found(story({"a": SAY}, from_url)) == {}
    conditional = [{**again[0], "when": "user.name == 'Ann'"}]
    assert found(story({"a": SAY}, conditional)) == {}


def test_a_variable_that_nobody_writes_is_a_warning(story: Any) -> None:
    text = {
        "type": "say",
        "parts": [{"text": "{{ memory.a }}{{ memory.b }}{{ user.c }}{{ user.name }}{{ user.tags }}"}],
    }
    document = story(
        {"s": {"type": "set", "values": {"memory.a": "1"}, "ports": {"next": "t"}}, "t": text},
        variables={"c": {"scope": "user"}},
    )
    (problem,) = check(document)
    assert (problem.severity, problem.code) == ("warning", "undeclared-variable")
    assert "memory.b" in problem.message


def test_a_hyphen_in_a_condition_gets_a_hint(story: Any) -> None:
    branch = {"if": "memory.favourite-thing == 'x'", "to": "b"}
    problems = check(story({"a": {"type": "condition", "branches": [branch]}, "b": END}))
    assert any('memory["favourite-thing"]' in problem.message for problem in problems)


def test_a_title_too_long_for_a_channel_is_a_warning(story: Any) -> None:
    button = {"id": "b", "title": "A title of more than twenty", "to": "a"}
    document = story({"a": {"type": "say", "parts": [{"text": "x", "buttons": [button]}]}})
    (problem,) = check(document, KnownNames(title_limits={"whatsapp": 20, "telegram": 64}))
    assert (problem.severity, problem.pointer) == ("warning", "/nodes/a/parts/0/buttons/0/title")
    assert found(document) == {}


def test_all_problems_are_found_in_one_go(story: Any) -> None:
    nodes = {
        "a": {"type": "say", "parts": [{"text": "{{ x"}], "ports": {"next": "gone"}},
        "b": {"type": "condition", "branches": [{"if": "1 +", "to": "a"}]},
    }
    assert set(found(story(nodes)).values()) == {"template", "unknown-target", "expression", "unreachable"}


# Documents that are not well-formed.


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"schema": "flow/2"}, "/schema", "schema"),
        ({"nodes": {"a": {"type": "say", "parts": [{"text": "x", "bogus": 1}]}}}, "/nodes/a/parts/0/bogus", "unknown-field"),
        ({"nodes": {"a": {"type": "nope"}}}, "/nodes/a", "union-tag-invalid"),
        ({"nodes": {"a": {"type": "delay", "for": "1 hour"}}}, "/nodes/a/for", "value-error"),
        ({"nodes": {"a": {"type": "ask", "text": "?", "input": {"type": "text", "max_length": 0}}}}, "/nodes/a/input/max_length", "greater-than-equal"),
        ({"slug": "Not A Slug"}, "/slug", "string-pattern-mismatch"),
        ({"session_ttl": "P0D"}, "/session_ttl", "value-error"),
        ({"nodes": {}}, "/nodes", "too-short"),
        ({"surprise": 1}, "/surprise", "unknown-field"),
    ],
)  # fmt: skip
def test_a_document_of_another_shape_is_told_by_pointer(story: Any, change: Any, pointer: str, code: str) -> None:
    document = {**story({"a": SAY}), **change}
    assert found(document) == {pointer: code}
    with pytest.raises(FlowInvalid):
        load(document)


def test_an_item_that_is_wrong_is_one_problem(story: Any) -> None:
    document = story({"a": {"type": "say", "parts": [{"text": "x", "buttons": [{"id": "b"}]}]}})
    assert found(document) == {"/nodes/a/parts/0/buttons/0/title": "missing"}


YAML = """
schema: flow/1
slug: y
name: on
start: "yes"
nodes:
  "yes": {type: say, parts: [{text: 1.0}]}
"""


def test_yaml_follows_the_core_schema_of_1_2() -> None:
    document = parse(YAML)
    assert (document["name"], list(document["nodes"])) == ("on", ["yes"])
    assert parse("a: [no, off, 2026-11-21, 1_000, 0o17, 0x1F, ~, 'true', true, 1:20]") == {
        "a": ["no", "off", "2026-11-21", "1_000", 15, 31, None, "true", True, "1:20"]
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: &x [1]\nb: *x", "line 1: anchors and aliases"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' is there twice"),
        ("a: [", "not YAML"),
        ("a: !!python/object:os.system x", "tags are not allowed"),
        ("a: !!python/object/apply:os.system [id]", "tags are not allowed"),
        ("a: !!int '5'", "line 1: tags are not allowed"),
        ("[1, 2]", "is an object"),
        ("", "is an object"),
        ("[" * 100, "nested more than 64"),
        ("? [a]\n: b", "a key is a text"),
        ("a: " + "x" * 300_000, "longer than"),
    ],
)
def test_yaml_that_is_refused_says_why(text: str, says: str) -> None:
    with pytest.raises(FlowInvalid, match=says):
        parse(text)


def test_json_is_yaml() -> None:
    assert parse('{"a": [1, "two", null, true], "b": {"c": "{{ user.x }}"}}') == {
        "a": [1, "two", None, True],
        "b": {"c": "{{ user.x }}"},
    }
