"""Filters and templates of endpoints: a mistyped name is told when they are saved."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from contracts.event_types import EVENTS
from registry.resources.endpoints import EndpointPatch
from registry.values.expressions import Filter, Template


@pytest.mark.parametrize(
    ("read", "name", "nearest"),
    [
        ("contat.name", "contat", "contact"),
        ("contact.nmae", "contact.nmae", "contact.name"),
        ("event.data.mesage.text", "event.data.mesage", "event.data.message"),
        ("event.tpye", "event.tpye", "event.type"),
        ("timestamp", "timestamp", "event.timestamp"),
        ("contact.langage", "contact.langage", "contact.language"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_known_one(read: str, name: str, nearest: str) -> None:
    with pytest.raises(ValidationError) as refused:
        EndpointPatch.model_validate({"template": f'{{"a": "{{{{ {read} }}}}"}}'})
    (error,) = refused.value.errors()
    assert error["loc"] == ("template",)
    assert f"there is no {name!r}; the nearest known name is {nearest!r}" in error["msg"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("contat.name == 'x'", "there is no 'contat'; .* the nearest is 'contact'"),
        ("event.tpye == 'x'", "there is no 'event.tpye'; the nearest known name is 'event.type'"),
        ("memory.seats > 3", "there is no 'memory'"),
    ],
)
def test_so_it_is_in_a_filter(source: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        TypeAdapter(Filter).validate_python(source)


@pytest.mark.parametrize(
    "source",
    [
        '{"who": "{{ contact.variables.anything }}", "tags": {{ contact.tags }}, "n": {{ contact.tags.size }}}',
        "{% for tag in contact.tags %}{{ tag }}{{ forloop.index }}{% endfor %}",
        "{% assign who = contact.name %}{{ who }}",
        '{{ event.data.contact.city }} {{ event.data["bot"].name }} {{ user.phone }} {{ event }}',
        "{{ contact[bot.name] }} {{ event.data.message.anything }}",
    ],
)
def test_known_names_are_taken(source: str) -> None:
    assert TypeAdapter(Template).validate_python(source) == source


@pytest.mark.parametrize("kind", EVENTS.values(), ids=lambda kind: kind.name)
def test_whatever_an_event_has_may_be_read(kind) -> None:
    for name in kind.sample:
        TypeAdapter(Template).validate_python(f"{{{{ event.data.{name} }}}}")
        TypeAdapter(Filter).validate_python(f"has(event.data.{name})")


def test_a_template_that_begins_like_json_and_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match="no JSON"):
        TypeAdapter(Template).validate_python('{"a": {{ event.type }}')
