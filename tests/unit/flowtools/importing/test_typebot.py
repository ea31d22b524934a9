"""Typebot's blocks: what becomes of each, and what the report says of the others."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from flowlang.language.check import check
from flowlang.language.document import load
from flowlang.language.yaml_text import parse
from flowtools.files import FlowFile
from flowtools.importing.importer import Imported, import_file, imported
from flowtools.testing import run_cases
from support.exports import EXPORTS, nothing_executable

VARIABLES = [{"id": "v1", "name": "Full name"}, {"id": "v2", "name": "Points"}, {"id": "v3", "name": "Unknown"}]
NUMBER = {"id": "n", "type": "number input", "options": {"variableId": "v2"}}


def flow_of(*blocks: dict[str, Any]) -> Imported:
    """A flow that says something, and then has these blocks and an end of their own."""
    first = {"id": "say", "type": "text", "content": {"plainText": "Question"}}
    last = {"id": "last", "type": "text", "content": {"plainText": "Last"}}
    export = {
        "version": "6",
        "name": "One",
        "events": [{"id": "ev", "type": "start", "outgoingEdgeId": "e"}],
        "groups": [
            {"id": "g", "title": "G", "blocks": [first, *blocks]},
            {"id": "h", "title": "Last", "blocks": [last]},
        ],
        "edges": [{"id": "e", "to": {"groupId": "g"}}, {"id": "out", "to": {"groupId": "h"}}],
        "variables": VARIABLES,
    }
    return imported(export, "typebot", {}, "one.json")


def node_of(block: dict[str, Any]) -> dict[str, Any]:
    """The only node of the kind that the block became."""
    nodes = flow_of(NUMBER, {"outgoingEdgeId": "out", "id": "b", **block}).document["nodes"]
    found = nodes.get("G_2") or nodes["G"]
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if name not in ("ports", "retry", "text")}


def asked(type: str, options: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """The `input` of the `ask` that an input became."""
    block = {"id": "b", "type": type, "options": {"variableId": "v1", **(options or {})}, **fields}
    nodes = flow_of(block).document["nodes"]
    assert nodes["G"]["text"] == "Question"
    found = nodes["G"]["input"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(
    ("type", "options", "input"),
    [
        ("text input", {"isLong": True}, {"type": "text"}),
        ("number input", {"min": 1, "max": "9", "step": 2}, {"type": "number", "min": 1, "max": 9, "multiple_of": 2}),
        ("email input", {}, {"type": "email"}),
        ("url input", {}, {"type": "url"}),
        ("date input", {}, {"type": "date"}),
        ("time input", {}, {"type": "time"}),
        ("phone number input", {"defaultCountryCode": "DE"}, {"type": "phone", "region": "DE"}),
        ("rating input", {"length": 5, "buttonType": "Icons"}, {"type": "number", "min": 1, "max": 5, "integer": True}),
        ("file input", {}, {"type": "file"}),
    ],
)
def test_an_input_asks_what_the_bubble_before_it_says(
    type: str, options: dict[str, Any], input: dict[str, Any]
) -> None:
    assert asked(type, options) == {**input, "save_to": "memory.full_name"}


def test_a_choice_keeps_its_title() -> None:
    items = [{"id": "i1", "content": "Yes"}, {"id": "i2", "content": "Not now", "outgoingEdgeId": "out"}]
    options = [{"id": "Yes", "title": "Yes"}, {"id": "option-2", "title": "Not now", "to": "G_2_2"}]
    block = {"id": "b", "type": "choice input", "options": {"variableId": "v1"}, "items": items}
    nodes = flow_of(NUMBER, block).document["nodes"]
    assert nodes["G_2"]["input"] == {"type": "choice", "options": options, "save_to": "memory.full_name"}
    assert nodes["G_2_2"] == {"type": "set", "values": {"memory.full_name": "Not now"}, "ports": {"next": "Last"}}


@pytest.mark.parametrize(
    ("block", "node"),
    [
        ({"type": "text", "content": {"plainText": "Hi {{Full name}}"}},
         {"type": "say", "parts": [{"text": "Hi {{ memory.full_name }}"}]}),
        ({"type": "image", "content": {"url": "https://v.example.com/{{Full name}}.png"}},
         {"type": "say", "parts": [{"image": "https://v.example.com/{{ memory.full_name }}.png"}]}),
        ({"type": "video", "content": {"url": "https://v.example.com/a.mp4", "type": "url"}},
         {"type": "say", "parts": [{"video": "https://v.example.com/a.mp4"}]}),
        ({"type": "audio", "content": {"url": "{{Full name}}"}},
         {"type": "say", "parts": [{"audio": "{{ memory.full_name }}"}]}),
        ({"type": "video", "content": {"url": "https://v.example.com", "type": "youtube"}},
         {"type": "say", "parts": [{"text": "https://v.example.com"}]}),
        ({"type": "embed", "content": {"url": "https://v.example.com"}},
         {"type": "say", "parts": [{"text": "https://v.example.com"}]}),
        ({"type": "image", "content": {"url": "/room.png"}},
         {"type": "say", "parts": [{"text": "/room.png"}]}),
        ({"type": "Redirect", "options": {"url": "https://r.example.com"}},
         {"type": "say", "parts": [{"text": "https://r.example.com"}]}),
        ({"type": "Wait", "options": {"secondsToWaitFor": "2.5"}}, {"type": "delay", "for": "PT3S"}),
        ({"type": "Typebot link", "options": {"typebotId": "Other Bot"}}, {"type": "call", "flow": "other-bot"}),
        ({"type": "Chatwoot"}, {"type": "live_chat"}),
        ({"type": "AB test", "options": {"aPercent": 30}, "items": [{"path": "a", "outgoingEdgeId": "out"}]},
         {"type": "split", "branches": [{"weight": 30, "to": "Last"}, {"weight": 70, "to": "Last"}]}),
        ({"type": "Set variable", "options": {"variableId": "v1", "expressionToEvaluate": "Good {{Points}}"}},
         {"type": "set", "values": {"memory.full_name": "Good {{ memory.points }}"}}),
        ({"type": "Set variable", "options": {"variableId": "v2", "expressionToEvaluate": "{{Points}} + 1"}},
         {"type": "set", "values": {"memory.points": {"cel": "memory.points + 1"}}}),
        ({"type": "Set variable", "options": {"variableId": "v1", "type": "Empty"}},
         {"type": "set", "values": {"memory.full_name": None}}),
        ({"type": "Set variable", "options": {"variableId": "v1", "type": "Now"}},
         {"type": "set", "values": {"memory.full_name": "{{ system.now }}"}}),
    ],
)  # fmt: skip
def test_a_block_becomes_a_node(block: dict[str, Any], node: dict[str, Any]) -> None:
    assert node_of(block) == node


@pytest.mark.parametrize(
    ("variable", "operator", "value", "expression"),
    [
        ("v2", "Greater than", "5", "memory.points > 5"),
        ("v1", "Less or equal to", "5", "double(memory.full_name) <= 5"),
        ("v1", "Equal to", 'a"b', 'memory.full_name == "a\\"b"'),
        ("v2", "Not equal", "7", "memory.points != 7"),
        ("v1", "Equal to", "{{Points}}", "string(memory.full_name) == string(memory.points)"),
        ("v1", "Contains", "x", 'memory.full_name.contains("x")'),
        ("v1", "Does not contain", "x", '!memory.full_name.contains("x")'),
        ("v1", "Starts with", "x", 'memory.full_name.startsWith("x")'),
        ("v1", "Ends with", "x", 'memory.full_name.endsWith("x")'),
        ("v1", "Is set", "", "has(memory.full_name) && memory.full_name != null"),
        ("v2", "Is empty", "", "!has(memory.points) || memory.points == null"),
    ],
)  # fmt: skip
def test_a_comparison_becomes_cel(variable: str, operator: str, value: str, expression: str) -> None:
    comparison = {"variableId": variable, "comparisonOperator": operator, "value": value}
    item = {"id": "i", "outgoingEdgeId": "out", "content": {"comparisons": [comparison]}}
    found = flow_of(NUMBER, {"id": "c", "type": "Condition", "items": [item]})
    assert found.document["nodes"]["G_2"]["branches"] == [{"if": expression, "to": "Last"}]
    assert found.errors == 0


@pytest.mark.parametrize(
    ("block", "named"),
    [
        ({"type": "Code", "options": {"content": "evil()"}}, "block Code"),
        ({"type": "payment input"}, "block payment input"),
        ({"type": "OpenAI"}, "block OpenAI"),
        ({"type": "something new"}, "block something new"),
        ({"type": "Set variable", "options": {"variableId": "v1", "expressionToEvaluate": "evil(1)"}}, "evil(1)"),
        ({"type": "Set variable", "options": {"variableId": "v1", "isCode": True, "expressionToEvaluate": "evil"}}, "evil"),
        ({"type": "Condition", "items": [{"content": {"comparisons": [{"variableId": "v1", "comparisonOperator": "Matches regex", "value": "evil"}]}}]}, "Matches regex"),
        ({"type": "Webhook", "options": {"webhook": {"url": "https://{{Full name}}.example.com"}}}, "without an address"),
    ],
)  # fmt: skip
def test_what_has_no_node_is_named_with_its_block_and_what_to_do(block: dict[str, Any], named: str) -> None:
    found = flow_of(NUMBER, {"id": "b7", "outgoingEdgeId": "out", **block})
    (finding,) = found.findings
    assert (finding.block, finding.instead.split()[-1]) == ("b7", "out")
    assert named in finding.what
    assert finding.to_do
    assert found.document["nodes"]["G"]["ports"]["ok"] == "Last"  # What led to it leads to what follows it.
    nothing_executable(found.text, "evil")


def test_a_request_copies_no_secret_and_no_expression() -> None:
    webhook = {
        "method": "PUT",
        "url": "https://a.example.com/{{Full name}}?token=hush",
        "headers": [{"key": "Authorization", "value": "hush"}, {"key": "X-From", "value": "{{Full name}}"}],
        "queryParams": [{"key": "api_key", "value": "hush"}, {"key": "q", "value": "1"}],
        "body": '{"password": "hush", "who": ["{{Full name}}"]}',
    }
    saved = [{"variableId": "v3", "bodyPath": "data.items[0].id"}, {"variableId": "v1", "bodyPath": "data | evil"}]
    options = {"isCustomBody": True, "webhook": webhook, "responseVariableMapping": saved}
    found = flow_of(NUMBER, {"id": "b", "type": "Webhook", "options": options})
    node = found.document["nodes"]["G_2"]
    assert node["url"] == "https://a.example.com/{{ memory.full_name }}"
    assert node["headers"] == {"Authorization": "secret.authorization", "X-From": "{{ memory.full_name }}"}
    assert (node["query"], node["json"]) == ({"q": "1"}, {"who": ["{{ memory.full_name }}"]})
    assert node["save"] == {"memory.unknown": "items[0].id"}
    nothing_executable(found.text, "hush", "evil")
    assert "hush" not in "".join(finding.line() for finding in found.findings)
    options["webhook"] = {**webhook, "body": '{"x": {"cel": "1 + 1"}}'}
    assert "cel" not in flow_of(NUMBER, {"id": "b", "type": "Webhook", "options": options}).text


def test_what_liquid_would_take_for_markup_stays_a_text() -> None:
    shown = "{% raw %} {{=evil()=}}{{nobody}} {{{Full name}}} {# {"
    found = flow_of({"id": "b", "type": "text", "content": {"plainText": shown}, "outgoingEdgeId": "out"})
    load(found.document)
    text = "- name: t\n  steps:\n    - say: /start\n      expect: {says: [Question, '{% raw %}  {} {# {', Last]}\n"
    file = FlowFile("one.yaml", f"{found.text}tests:\n{text}")
    told = asyncio.run(run_cases(file, ()))
    assert [case.failed for case in told.cases] == [False], list(told.lines())
    assert {finding.what for finding in found.findings} == {
        "expression {{=evil()=}}",
        "variable that is not declared {{nobody}}",
    }


def test_a_circle_that_never_waits_is_an_error_of_the_report() -> None:
    found = flow_of({"id": "b", "type": "text", "content": {"plainText": "x"}, "outgoingEdgeId": "e"})
    assert found.errors == 1
    assert "without ever waiting" in found.findings[-1].line()
    assert found.findings[-1].block == "say"


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        (
            "lead.json",
            """
    - {say: /start, expect: {says: [Good morning., "", Who are you?], effects: [{media: {type: image, url: "https://cdn.example.com/room.png"}}]}}
    - {say: Ann, expect: {says: ["How many seats, Ann?"]}}
    - {say: "12"}
    - {say: "7", expect: {says: [That is a group., Which day?]}}
    - {say: /price, expect: {says: [It is free.], waits_at: Day}}
    - {say: monday, expect: {nodes: [Day, Call]}}
    - {answer: {node: Call, body: {order: {id: 5}}}, expect: {says: ["Monday it is, number 5."]}}
""",
        ),
        (
            "quiz-v5.json",
            """
    - {say: /start, expect: {says: [2 + 2?]}}
    - {say: "4"}
    - {wait: PT2S, expect: {says: ["Points: 1"]}}
    - {say: "5", expect: {says: ["https://example.com/1"]}}
""",
        ),
    ],
)
def test_a_whole_flow_is_checked_and_played(name: str, steps: str) -> None:
    found = import_file(EXPORTS / name, "typebot")
    assert [problem for problem in check(found.document) if problem.severity == "error"] == []
    assert parse(found.text) == found.document
    told = asyncio.run(run_cases(FlowFile(name, f"{found.text}tests:\n- name: t\n  steps:{steps}"), ()))
    assert [case.failed for case in told.cases] == [False], list(told.lines())


def test_what_nothing_leads_to_is_left_out_and_named() -> None:
    found = import_file(EXPORTS / "lead.json", "typebot")
    assert "Unused" not in found.text
    assert [finding.block for finding in found.findings] == ["b8", "b12", "b16"]
    assert b"12345" in (EXPORTS / "lead.json").read_bytes()
    nothing_executable(found.text, "12345", "alert")
    assert orjson.loads((EXPORTS / "lead.json").read_bytes())["version"] == "6.1"


@pytest.mark.parametrize("value", ["secret.crm", "  secret.crm ", "secret.{{=x=}}crm"])
def test_a_header_of_an_export_names_no_secret_of_the_project(value: str) -> None:
    asked = {"url": "https://a.example.com/", "method": "GET", "headers": [{"key": "X-Note", "value": value}]}
    found = flow_of({"id": "b", "type": "HTTP request", "options": {"webhook": asked}})
    assert "secret.crm" not in found.text
    assert any("value of the header X-Note: left out" in one.line() for one in found.findings)


@pytest.mark.parametrize("name", ["in", "NULL", "true", "empty", "contains", "not", "size", "first", "id", "tags"])
def test_a_variable_may_have_the_name_of_a_word_of_our_languages(name: str) -> None:
    asks = {"id": "q", "type": "text input", "options": {"variableId": "v"}}
    compared = {"comparisons": [{"variableId": "v", "comparisonOperator": "Equal to", "value": "\U000e0001b"}]}
    asked = {"id": "c", "type": "Condition", "items": [{"id": "i", "content": compared}]}
    shown = {"id": "b", "type": "text", "content": {"plainText": f"It is {{{{{name}}}}}."}}
    export = {"groups": [{"id": "g", "blocks": [asks, asked, shown]}], "variables": [{"id": "v", "name": name}]}
    start = {"events": [{"type": "start", "outgoingEdgeId": "e"}], "edges": [{"id": "e", "to": {"groupId": "g"}}]}
    found = imported(export | start, "typebot", {}, "one.json")
    place = f"memory.{name.lower()}_2"
    assert found.errors == 0
    assert found.document["nodes"]["group_2"]["branches"][0]["if"] == f'{place} == "\\U000e0001b"'
    assert found.document["nodes"]["group_3"]["parts"] == [{"text": f"It is {{{{ {place} }}}}."}]
