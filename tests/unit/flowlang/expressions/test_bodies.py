"""Bodies of requests: what a merge tag shows stays where it stands, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.expressions.bodies import body_template, refuse_broken_body
from flowlang.expressions.templates import Template
from flowlang.liquid.rendering import show
from flowlang.problems import NodeError
from flowlang.work import Work


class Values:
    """`event.v`, `event.w` and `event.list`."""

    def __init__(self, **event: Any) -> None:
        self.work, self._event = Work(), event

    def scope(self, name: str) -> Any:
        return self._event if name == "event" else {}

    def missing(self, name: str) -> None:
        """Nothing is strict here."""


def made(source: str, **event: Any) -> str:
    return body_template(source).render(Values(**event))


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=30),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=8), inside, max_size=4),
    max_leaves=8,
)
NASTY = st.sampled_from(
    ['he said "hi"', '", "admin": true, "x": "', "\\", 'a\\"', "\n\t\x00\u2028", "}", "1e999", "007", "null"]
)
VALUES = JSON_VALUES | NASTY
TEMPLATES = [
    '{"a": "{{ event.v }}", "b": {{ event.v }}}',
    '{"a": "{{ event.v }}{{ event.w }}", "b": [{{ event.v }}, {{ event.w | json }}]}',
    '{"a": "x\\\\{{ event.v }}\\"y", "b": "{{ event.v | json }}"}',
    '{"{{ event.v }}": 1, "b": {"c": {{ event.v }}}}',
    '{"a": [{% for x in event.list %}"{{ x }}"{% unless forloop.last %}, {% endunless %}{% endfor %}], "b": 1}',
    '{"a": [{{ event.list | json }}], "b": "{{ event.list | join: "," }}"}',
    '{"a": "{% if event.v %}{{ event.v }}{% else %}-{% endif %}", "b": {{ event.nothing }}}',
    '{"a": "{{ event.v | upcase | truncate: 5 }}", "b": {{ event.v | default: "no thing" }}}',
]  # fmt: skip


@pytest.mark.parametrize("source", TEMPLATES)
@given(v=VALUES, w=VALUES, items=st.lists(VALUES, max_size=4))
def test_whatever_the_values_are_it_is_json_with_the_templates_keys(source: str, v: Any, w: Any, items: Any) -> None:
    pairs = json.loads(made(source, v=v, w=w, list=items), object_pairs_hook=list)
    assert [key for key, _ in pairs] == [show(v) if source.startswith('{"{{') else "a", "b"]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('{"text": "{{ event.said }}"}', {"text": 'he said "hi"'}),
        ('{"text": {{ event.said }}}', {"text": 'he said "hi"'}),
        ('{"text": {{ event.said | json }}}', {"text": 'he said "hi"'}),
        ('{"n": {{ event.n }}, "t": {{ event.digits }}, "s": "{{ event.digits }}"}', {"n": 5, "t": 42, "s": "42"}),
        ('{"t": {{ event.digits | json }}, "z": {{ event.zeros }}}', {"t": "42", "z": "007"}),
        ('{"list": {{ event.list }}, "object": {{ event.object }}}', {"list": ["a", 'b"'], "object": {"k": [1]}}),
        ('{"nothing": {{ event.nothing }}, "empty": "{{ event.nothing }}"}', {"nothing": None, "empty": ""}),
        ('{"yes": {{ event.yes }}}', {"yes": True}),
        ('{"minus": -{{ event.n }}.5}', {"minus": -5.5}),
        ('["{{ event.list | join: \'", "\' }}"]', ["a", 'b"']),
        ("[{{ event.numbers | join: ', ' }}]", [1, 2]),
        ("[{{ event.nothing | join: ', ' }}]", []),
        ('{"a": {{ event.nothing | default: "none" }}, "b": {{ event.nothing | default: 0 }}}', {"a": "none", "b": 0}),
        (
            "[{% assign c = '' %}{% for x in event.list %}{{ c }}\"{{ x }}\"{% assign c = ', ' %}{% endfor %}]",
            ["a", 'b"'],
        ),
        ('[{% for x in event.list %}{{ comma }}"{{ x }}"{% assign comma = "," %}{% endfor %}]', ["a", 'b"']),
        (
            '{% if event.nothing %}{% assign more = \', "b": 1\' %}{% endif %}{"a": {{ event.nothing.x }}{{ more }}}',
            {"a": None},
        ),
        ('[1, "{{ event.said }}"]', [1, 'he said "hi"']),
        ("[-1.5, {{ event.said }}]", [-1.5, 'he said "hi"']),
        ('[true, {% if event.yes %}"{{ event.said }}"{% endif %}]', [True, 'he said "hi"']),
        ('{% if event.n > 3 %}{"many": {{ event.n }}}{% else %}{"few": 1}{% endif %}', {"many": 5}),
        ('{"whole": "{{ event.object | json }}"}', {"whole": '{"k":[1]}'}),
    ],
)
def test_a_value_is_json_where_it_stands(source: str, shown: Any) -> None:
    event = {
        "said": 'he said "hi"', "n": 5, "digits": "42", "zeros": "007", "list": ["a", 'b"'], "object": {"k": [1]},
        "yes": True, "numbers": [1, 2],
    }  # fmt: skip
    assert json.loads(made(source, **event)) == shown
    refuse_broken_body(source)


@given(v=st.integers() | st.booleans() | st.text(st.characters(exclude_characters='"\\', exclude_categories=["C"])))
def test_a_body_that_was_right_is_what_it_was(v: Any) -> None:
    for source in ('{"a": "{{ event.v }}"}', '{"a": {"b": ["{{ event.v | upcase }}"]}}', "Order {{ event.v }}"):
        as_text = Template(source).render(Values(v=v))
        assert made(source, v=v) == as_text


@pytest.mark.parametrize(
    "source",
    [
        "{{ event.v }}",
        "Hello {{ event.v }}",
        "[Shop] {{ event.v }}",
        "[1] {{ event.v }}",
        "[{{ event.v }}] hi",
        "text={{ event.v }}",
    ],
)
def test_a_text_that_is_no_json_stays_a_text(source: str) -> None:
    assert made(source, v='he said "hi"') == source.replace("{{ event.v }}", 'he said "hi"')


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ('{"a": {{ event.v }}', "no JSON"),
        ('{"a": "{{ event.v }}",}', "no JSON"),
        ('{"a": {{ event.v }}{{ event.w }}}', "no JSON"),
        ("{\"a\": '{{ event.v }}'}", "no JSON"),
        ('{"a": "\\{{ event.v }}"}', "a backslash stands right before a merge tag"),
        ('{"a": 1', "no JSON"),
        ('{"a": "{{ event.v', "does not parse"),
    ],
)
def test_what_begins_like_json_and_is_none_is_refused(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        refuse_broken_body(source)


def test_texts_that_do_not_fit_together_end_the_body() -> None:
    source = '{% if event.v %}{"a": 1{% endif %}, "b": {{ event.w }}}'
    assert json.loads(made(source, v=1, w="x")) == {"a": 1, "b": "x"}
    with pytest.raises(NodeError, match="no JSON"):
        made(source, w="x")


@pytest.mark.parametrize("value", ['he said "hi"', 5, None, ["a", {"b": 1}], "42"])
def test_the_filter_json_gives_json_in_any_text(value: Any) -> None:
    shown = Template("= {{ event.v | json }}").render(Values(v=value))
    assert json.loads(shown.removeprefix("= ")) == value
