"""Filters and templates of endpoints: a mistyped name is told when they are saved."""

from __future__ import annotations

import re

import pytest

from contracts.event_types import EVENTS
from registry.values.expressions import wrong_answer, wrong_filter, wrong_template


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
    wrong = wrong_template(f'{{"a": "{{{{ {read} }}}}"}}')
    assert f"the template reads {name!r}, which no event has; the nearest known name is {nearest!r}" in (wrong or "")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("contat.name == 'x'", "there is no 'contat'; .* the nearest is 'contact'"),
        (
            "event.tpye == 'x'",
            "the filter reads 'event.tpye', which no event has; the nearest known name is 'event.type'",
        ),
        ("memory.seats > 3", "the filter reads 'memory', which no event has"),
    ],
)
def test_so_it_is_in_a_filter(source: str, says: str) -> None:
    assert re.search(says, wrong_filter(source) or "")


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
    assert wrong_template(source) is None


@pytest.mark.parametrize("kind", EVENTS.values(), ids=lambda kind: kind.name)
def test_whatever_an_event_has_may_be_read(kind) -> None:
    for name in kind.sample:
        assert wrong_template(f"{{{{ event.data.{name} }}}}") is None
        assert wrong_filter(f"has(event.data.{name})") is None


def test_a_template_that_begins_like_json_and_is_none_is_refused() -> None:
    assert "no JSON" in (wrong_template('{"a": {{ event.type }}') or "")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"responses": ["Hello"]}, None),
        ({"memory": {}}, None),
        ({"id": 7}, "none of responses, memory, user_attributes, quickreplies"),
        (["Hello"], "must be a JSON object"),
        ({"responses": "Hello"}, "responses must be a list of strings"),
        ({"responses": ["{{ user. }}"]}, "responses: "),
        ({"user_attributes": {"id": 7}}, "cannot be set by an answer"),
    ],
)
def test_an_answer_is_judged_as_a_flow_judges_it(body: object, says: str | None) -> None:
    wrong = wrong_answer(body, 200)
    assert (wrong is None) == (says is None)
    assert (says or "") in (wrong or "")
