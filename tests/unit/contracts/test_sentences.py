"""What is wrong with a value, in words for who sent it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import core_schema

from contracts.commands import Command
from contracts.inbound import InboundAdapter
from contracts.sentences import reason, sentence
from registry.resources.kinds import RESOURCES

WORDS = (
    "Input should",
    "Value error",
    "Field required",
    "Extra inputs",
    "Assertion",
    "dictionary",
    "pydantic",
    "JSON type",
)
VALUES: list[Any] = [None, 7, 1.5, "", "x" * 20_000, "nonsense", [], [1, "x"], {}, {"a": 1}, True, "\ud800"]


def told(model: Any, value: Any) -> list[str]:
    try:
        TypeAdapter(model).validate_python(value)
    except ValidationError as error:
        return [sentence(one) for one in error.errors()]
    return []


def bodies() -> list[type[BaseModel]]:
    return [model for resource in RESOURCES for model in (resource.new, resource.patch) if model is not None]


@pytest.mark.parametrize("model", [*bodies(), Command], ids=lambda model: getattr(model, "__name__", "Command"))
def test_no_refusal_speaks_of_how_it_was_made(model: Any) -> None:
    fields = getattr(model, "model_fields", {"kind": None, "bot": None, "person": None})
    for value in (7, {}, *({name: value} for name in (*fields, "unknown") for value in VALUES)):
        for said in told(model, value):
            assert said.strip(), value
            assert not any(word in said for word in WORDS), said


@pytest.mark.parametrize(
    ("type", "value", "said"),
    [
        (int, "x", "it has to be a whole number"),
        (int, 1.5, "it has to be a whole number"),
        (str, 7, "it has to be a text"),
        (bool, "perhaps", "it has to be true or false"),
        (list[int], 7, "it has to be a list"),
        (dict[str, int], 7, "it has to be an object"),
        (AwareDatetime, "2026-11-21T00:00:00", "it has to be a time (RFC 3339, with an offset)"),
        (Literal["a", "b"], "c", "it has to be one of 'a' or 'b'"),
        (Annotated[int, Field(le=3)], 4, "it has to be a number of at most 3"),
        (Annotated[str, Field(max_length=3)], "long", "it has to be a text of at most 3 characters"),
    ],
)
def test_it_says_what_is_taken(type: Any, value: Any, said: str) -> None:
    assert told(type, value) == [said]


def test_every_kind_of_error_has_a_sentence() -> None:
    for type in get_args(core_schema.ErrorType):
        said = sentence({"type": type, "loc": ("a",), "msg": "Value error, why", "ctx": {}})
        assert not any(word in said for word in WORDS), type


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"not json", "it is no JSON: expected ident at line 1 column 2"),
        (b'{"kind": "dance"}', "there is no type 'dance'; there are: "),
        (b'{"kind": "timer", "project_id": 1}', "timer.project_id: it has to be a text"),
        (b'{"kind": "timer", "project_id": "p"}', "timer.bot_id: the field 'bot_id' is needed"),
    ],
)
def test_why_a_record_is_a_dead_letter_is_a_sentence(value: bytes, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        InboundAdapter.validate_json(value)
    said = reason(caught.value)
    assert said.startswith(why)
    assert not any(word in said for word in ("Input should", "Field required", "Value error"))
