"""Schemas of answers: what a document may have, and what a text is held to. Neither costs more than its size."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flowlang.answer_schema import wrong_answer, wrong_schema

OBJECT = {"type": "object"}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = OBJECT
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({}, "the answer is an object"),
        ({"type": "object", "$ref": "http://169.254.169.254/"}, "refers to nothing"),
        ({"type": "object", "properties": {"a": {"$ref": "#"}}}, "refers to nothing"),
        ({"type": "object", "allOf": [{"$dynamicRef": "#x"}]}, "refers to nothing"),
        ({"type": "object", "properties": {"a": {"$id": "http://x/"}}}, "refers to nothing"),
        ({"type": "object", "description": "x" * 9000}, "at most 8192 bytes"),
        (nested(9), "at most 16 levels"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "no JSON Schema"),
        ({"type": "object", "properties": {"a": {"pattern": "("}}}, "no JSON Schema"),
        ({"type": "object", "properties": {"a": {"pattern": "(a{1000}){1000}"}}}, "no JSON Schema"),
        ({"type": "object", "minProperties": -1}, "no JSON Schema"),
    ],
)
def test_a_schema_that_could_do_harm_is_none(schema: dict[str, Any], why: str) -> None:
    assert why in str(wrong_schema(schema))


def test_a_schema_may_be_what_people_write() -> None:
    assert wrong_schema(nested(3) | {"additionalProperties": False, "required": ["a"]}) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "it is not JSON"),
        ("[1]", "the whole: [1] is not of type"),
        ('{"n": "x"}', "n: "),
        ("{" * 16_000, "it is not JSON"),
        ("[" * 8_000 + "]" * 8_000, ""),
    ],
)
def test_a_text_that_does_not_follow_is_told_why(text: str, why: str) -> None:
    value, wrong = wrong_answer({"type": "object", "properties": {"n": {"type": "integer"}}}, text)
    assert value is None
    assert wrong is not None
    assert why in wrong
    assert len(wrong) <= 300


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "^(a+)+$"}, '"' + "a" * 15_900 + 'b"'),
        ({"uniqueItems": True}, "[" + ",".join(f"[{n}]" for n in range(2000)) + "]"),
        ({"anyOf": [{"items": {"anyOf": [{"const": n} for n in range(100)]}}] * 5}, "[" + "0," * 7900 + "7]"),
    ],
)
def test_what_is_costly_elsewhere_ends_here(schema: dict[str, Any], text: str) -> None:
    began = time.thread_time()
    wrong_answer({"type": "object", "properties": {"a": schema}}, f'{{"a": {text}}}')
    assert time.thread_time() - began < 2
