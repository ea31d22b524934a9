"""What the checker says of flows that run, but hardly as they were meant."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from support.dialogue import compiled

SAY = {"type": "say", "parts": [{"text": "x"}]}
QUESTION = {"type": "ask", "text": "?", "input": {"type": "text"}}


def found(document: dict[str, Any], known: KnownNames | None = None) -> dict[str, str]:
    """Pointer to code of all problems."""
    return {problem.pointer: problem.code for problem in check(document, known)}


def only(document: dict[str, Any], known: KnownNames | None = None) -> Any:
    (problem,) = check(document, known)
    return problem


def options(*targets: str | None) -> dict[str, Any]:
    listed = [{"id": str(number), "title": "T", **({"to": to} if to else {})} for number, to in enumerate(targets)]
    return {"type": "ask", "text": "?", "input": {"type": "choice", "options": listed}}


def test_a_question_whose_answer_leads_nowhere_is_told(story: Any) -> None:
    problem = only(story({"a": QUESTION}))
    assert (problem.pointer, problem.severity, problem.code) == ("/nodes/a", "warning", "open-end")
    assert found(story({"a": options("b", None), "b": SAY})) == {"/nodes/a": "open-end"}
    assert found(story({"a": options("b", "b"), "b": SAY})) == {}
    assert found(story({"a": {**QUESTION, "ports": {"ok": "b"}}, "b": SAY})) == {}


def test_a_node_that_ends_before_one_that_nothing_leads_to_is_named(story: Any) -> None:
    assert found(story({"a": SAY, "b": SAY})) == {"/nodes/b": "unreachable", "/nodes/a": "open-end"}
    told = next(problem for problem in check(story({"a": SAY, "b": SAY})) if problem.code == "open-end")
    assert "next: b" in told.message
    assert found(story({"a": {**SAY, "ports": {"next": "c"}}, "c": SAY})) == {}


def declared(type: str, condition: str) -> dict[str, Any]:
    return {
        "variables": {"plan": {"type": type, "scope": "memory"}},
        "nodes": {"a": {"type": "condition", "branches": [{"if": condition, "to": "b"}], "else": "b"}, "b": SAY},
    }


@pytest.mark.parametrize(
    ("type", "condition"),
    [
        ("string", "memory.plan > 1"),
        ("string", "1 <= memory.plan"),
        ("string", "memory.plan == 1"),
        ("integer", "memory.plan == 'gold'"),
        ("boolean", "has(memory.plan) && memory.plan > 1"),
        ("array", "memory.plan + 1 > 2"),
        ("string", "memory.plan > user.seats"),
    ],
)
def test_a_declared_type_that_does_not_go_with_what_it_is_compared_with_is_told(
    story: Any, type: str, condition: str
) -> None:
    document = story(**declared(type, condition))
    document["variables"]["seats"] = {"type": "integer", "scope": "user"}
    problem = only(document)
    assert (problem.pointer, problem.severity, problem.code) == ("/nodes/a/branches/0/if", "warning", "type-mismatch")
    assert "memory.plan" in problem.message
    assert type in problem.message


@pytest.mark.parametrize(
    ("type", "condition"),
    [
        ("string", "memory.plan"),
        ("integer", "!memory.plan"),
        ("array", "has(memory.plan) && memory.plan"),
        ("string", "memory.plan || true"),
        ("object", "memory.plan ? true : false"),
        ("string", "[1].exists(n, n > 0 && memory.plan)"),
    ],
)
def test_a_declared_type_that_is_neither_true_nor_false_is_told(story: Any, type: str, condition: str) -> None:
    problem = only(story(**declared(type, condition)))
    assert (problem.pointer, problem.severity, problem.code) == ("/nodes/a/branches/0/if", "warning", "type-mismatch")
    assert problem.message == f"memory.plan, of type {type}, stands where true or false is needed: compare it"


@pytest.mark.parametrize("condition", ["memory.plan", "!memory.plan && true", "memory.plan ? memory.plan : false"])
def test_what_is_true_or_false_is_not_told(story: Any, condition: str) -> None:
    assert found(story(**declared("boolean", condition))) == {}


@pytest.mark.parametrize(
    ("type", "condition"),
    [
        ("integer", "memory.plan > 1.5"),
        ("number", "memory.plan == 1"),
        ("string", "memory.plan == 'gold' || int(memory.plan) > 1"),
        ("string", "memory.plan == null"),
        ("object", "memory.plan.level > 1"),
        ("array", "size(memory.plan) > 1 && memory.plan[0] == 1"),
    ],
)
def test_types_that_go_together_are_not_told(story: Any, type: str, condition: str) -> None:
    assert found(story(**declared(type, condition))) == {}


@pytest.mark.parametrize(
    ("condition", "hint"),
    [
        ("memory.plan = 'gold'", "to compare, write =="),
        ("memory.plan & memory.b", "write &&"),
        ("memory.plan | memory.b", "write ||"),
        ("memory.plan and memory.b", "write &&"),
        ("memory.plan or memory.b", "write ||"),
        ("not memory.plan", "write !"),
        ("memory.plan <> 1", "write !="),
        ("'open", "a text ends with the quote that it begins with"),
        ("memory.plan == “gold”", "write straight quotes"),
        ("{{ memory.plan }} == 1", "without {{ }}"),
    ],
)
def test_a_usual_mistake_in_a_condition_gets_a_hint(story: Any, condition: str, hint: str) -> None:
    problems = check(story(**declared("string", condition)))
    told = [problem.message for problem in problems if problem.code == "expression"]
    assert len(told) == 1
    assert hint in told[0]


def test_a_text_longer_than_a_bound_channel_takes_is_told(story: Any) -> None:
    known = KnownNames(text_limits={"telegram": (10, "characters"), "vk": (20, "bytes")})
    long = {"type": "say", "parts": [{"text": "é" * 11}]}
    problems = [(one.pointer, one.code, one.severity) for one in check(story({"a": long}), known)]
    assert problems == [("/nodes/a/parts/0/text", "text-too-long", "warning")] * 2
    assert found(story({"a": {"type": "say", "parts": [{"text": "é" * 10}]}}), known) == {}
    assert found(story({"a": {"type": "say", "parts": [{"text": "{{ user.name }}" * 3}]}}), known) == {}
    asked = {**QUESTION, "text": "x" * 30, "retry": {"text": "y" * 30}, "ports": {"ok": "b"}}
    assert set(found(story({"a": asked, "b": SAY}), known)) == {"/nodes/a/text", "/nodes/a/retry/text"}


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "ask", "text": 7, "input": {"type": "text"}},
        {"type": "ask", "text": "?", "input": {"type": "number", "min": "x"}},
        {"type": "ask", "text": "?", "input": {"type": "text", "max_length": 0}},
        {"type": "ask", "text": "?", "input": {}},
        {"type": "ask", "text": "?", "input": []},
        {"type": "delay", "for": "soon"},
        {"type": "jump"},
        {"type": "say", "parts": {}},
        {"type": "set", "values": []},
        {},
        [],
    ],
)
def test_what_has_the_wrong_shape_is_told_in_plain_words(story: Any, broken: Any) -> None:
    for problem in check(story({"a": broken})):
        for word in ("Input should", "Value error", "Field required", "dictionary", "valid"):
            assert word not in problem.message


def test_what_every_message_and_start_is_compared_with_is_bounded(story: Any) -> None:
    """More of it is still run, where it was published before."""
    words = [{"id": f"k{number}", "type": "keyword", "any": ["a"] * 100, "to": "a"} for number in range(21)]
    hook = {"id": "h", "type": "webhook", "accept": {f"v{number}": "string" for number in range(201)}, "to": "a"}
    document = {**story({"a": {"type": "end"}}), "triggers": [*words, hook]}
    codes = {problem.code: problem.pointer for problem in check(document) if problem.severity == "error"}
    assert codes == {"too-many-words": "/triggers", "too-many-variables": "/triggers/21/accept"}
    assert len(compiled(document).triggers) == 22


@pytest.mark.parametrize(
    ("type", "condition", "told"),
    [
        ("string", "size(1) > 0", "size() is for a text or a list or an object, and a value of type integer is none: it has no length; compare it itself"),
        ("integer", "size(memory.plan) > 0", "size() is for a text or a list or an object, and memory.plan, of type integer, is none: it has no length; compare it itself"),
        ("string", "event.text.startsWith(3)", "startsWith() is for a text, and a value of type integer is none: write it in quotes"),
        ("integer", "memory.plan.endsWith('3')", "endsWith() is for a text, and memory.plan, of type integer, is none: string(memory.plan) makes a text of it"),
        ("array", "memory.plan.contains('gold')", "contains() is for a text, and memory.plan, of type array, is none: ask `… in memory.plan`"),
        ("string", "memory.plan.getHours() > 3", "getHours() is for a time or a duration, and memory.plan, of type string, is none: make one of a text, timestamp(memory.plan) or duration(memory.plan)"),
        ("object", "int(memory.plan) > 3", "int() is for a text or a number, and memory.plan, of type object, is none: ask for one of its items"),
        ("string", "bool(1.5)", "bool() is for a text or true or false, and a value of type number is none: write it otherwise"),
        ("string", "[1].exists(n, size(n) > 0 || size(2) > 0)", "size() is for a text or a list or an object, and a value of type integer is none: it has no length; compare it itself"),
    ],
)  # fmt: skip
def test_what_a_function_does_not_take_is_told_with_what_to_write(
    story: Any, type: str, condition: str, told: str
) -> None:
    problem = only(story(**declared(type, condition)))
    assert (problem.pointer, problem.severity, problem.code) == ("/nodes/a/branches/0/if", "warning", "type-mismatch")
    assert problem.message == told


@pytest.mark.parametrize(
    ("type", "condition"),
    [
        ("string", "size(memory.plan) > 0 && memory.plan.size() > 0 && memory.plan.startsWith('a')"),
        ("array", "size(memory.plan) > 0 && 'a' in memory.plan && size([1]) > 0 && size({'a': 1}) > 0"),
        ("integer", "string(memory.plan) == '3' && double(memory.plan) > 1.0 && int('3') > 1"),
        ("string", "timestamp(memory.plan).getHours() > 3 && duration('1h').getMinutes() > 3"),
        ("string", "[memory.plan].exists(memory, size(memory.plan) > 0)"),
        ("boolean", "bool(memory.plan) && type(memory.plan) == bool && max(1, 2) > 1"),
    ],
)
def test_what_a_function_takes_is_not_told(story: Any, type: str, condition: str) -> None:
    assert found(story(**declared(type, condition))) == {}
