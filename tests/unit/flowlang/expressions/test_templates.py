"""Merge tags: what they show, what is missing, URLs, and templates that would cost too much."""

from __future__ import annotations

import time
from typing import Any

import pytest
from liquid.builtin.expressions import Path
from liquid.builtin.output import OutputNode

from flowlang.expressions.templates import MOST_TAGS, Template, merge_tags_only, parts_by_form, url_template
from flowlang.liquid.expressions import EVALUATED
from flowlang.liquid.nodes import RENDERED
from flowlang.problems import NodeError
from flowlang.work import Work


class Values:
    """Scopes out of a dict."""

    def __init__(self, **scopes: Any) -> None:
        self.scopes = scopes
        self.work = Work()
        self.noted: list[str] = []

    def scope(self, name: str) -> Any:
        return self.scopes.get(name, {})

    def missing(self, name: str) -> None:
        self.noted.append(name)


VALUES: dict[str, Any] = {
    "user": {"name": "Ann", "tags": ["a", "b"], "odd": "a/b ?&#\r\n%", "vip": True, "none": None},
    "memory": {"favourite-thing": "tea", "count": 3, "price": 1.5, "deep": {"a": {"b": "c"}}, "list": [1, "x", None]},
    "system": {"now": "2026-11-21T07:05:00Z"},
}


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("no tags { } at all", "no tags { } at all"),
        ("{{memory.favourite-thing}} and {{ user.name }}", "tea and Ann"),
        ('{{ memory["favourite-thing"] }}', "tea"),
        ("{{ memory.deep.a.b }}{{ memory.deep }}", 'c{"a":{"b":"c"}}'),
        ("{{ memory.count }} {{ memory.price }} {{ user.vip }} {{ user.none }}", "3 1.5 true "),
        ("{{ memory.list }}{{ memory.list[1] }}{{ user.tags.size }}", "1xx2"),
        ("{{ user.tags | join: ', ' | upcase }}", "A, B"),
        ("{{ user.nickname | default: 'friend' }}", "friend"),
        ("{{ system.now | date: '%d.%m.%Y %H:%M' }}", "21.11.2026 07:05"),
        ("{% if user.vip %}yes{% else %}no{% endif %}", "yes"),
        ("{% for tag in user.tags %}[{{ tag }}]{% endfor %}", "[a][b]"),
        ("{% assign n = memory.count | plus: 1 %}{{ n }}", "4"),
        ("{{ 'x' | replace: 'x', 'yy' }}{{ 2.345 | round: 1 }}{{ 2.5 | round }}", "yy2.32"),
    ],
)
def test_what_a_template_shows(source: str, text: str) -> None:
    assert Template(source).render(Values(**VALUES)) == text


def test_the_quick_way_and_liquid_show_the_same() -> None:
    quick = "{{ user.name }}|{{ user.none }}|{{ memory.list }}|{{ memory.deep }}|{{ user.vip }}|{{ memory.gone.x }}"
    values, through_liquid = Values(**VALUES), Values(**VALUES)
    assert Template(quick).render(values) == Template(quick + "{% if true %}{% endif %}").render(through_liquid)
    assert values.noted == through_liquid.noted == ["memory.gone.x"]


def test_what_is_missing_is_empty_and_noted_by_name() -> None:
    values = Values(**VALUES)
    assert Template("[{{ user.zip }}{{ memory.deep.x }}{{ user.none }}]").render(values) == "[]"
    assert values.noted == ["user.zip", "memory.deep.x"]


def test_reads_are_the_paths_from_outside() -> None:
    template = Template(
        "{{memory.favourite-thing}}{% for t in user.tags %}{{ t }}{% endfor %}{{ user.a | append: bot.b }}"
    )
    assert set(template.reads) == {("memory", "favourite-thing"), ("user", "tags"), ("user", "a"), ("bot", "b")}


def test_tags_in_a_url_are_percent_encoded() -> None:
    source = "https://api.example.com:8443/{{ user.odd }}?q={{ user.odd | upcase }}#{{ user.name }}"
    rendered = url_template(source).render(Values(**VALUES))
    assert rendered == "https://api.example.com:8443/a%2Fb%20%3F%26%23%0D%0A%25?q=A%2FB%20%3F%26%23%0D%0A%25#Ann"


@pytest.mark.parametrize(
    "source",
    [
        "https://{{ user.host }}/x",
        "{{ user.url }}",
        "https://a.example{{ user.x }}/",
        "https://a.example:{{ user.port }}/",
        "{{ user.scheme }}://a.example/",
        "https://user@{{ user.x }}/",
        "https://a.example\\{{ user.x }}",
        "ftp://a.example/",
        "javascript:alert(1)",
        "https:///path",
    ],
)
def test_scheme_host_and_port_are_written_out(source: str) -> None:
    with pytest.raises(ValueError, match="scheme, host and port"):
        url_template(source)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{{ user.name", "does not parse"),
        ("{% if user.name %}", "does not parse"),
        ("{{ user.name | evil }}", "no filter 'evil'"),
        ("{% include 'other' %}", "unexpected tag"),
        ("{% render 'other' %}", "unexpected tag"),
        ("{% capture x %}y{% endcapture %}", "unexpected tag"),
        ("{{ user.name | strip_html }}", "no filter"),
        ("{{ a }}" * MOST_TAGS, "at most 200 merge tags"),
        ("{{ a }}" + "x" * 16_000, "at most 16000 characters"),
        ("{{ a" + "[a" * 2000 + "]" * 2000 + "}}", "does not parse|nested"),
    ],
)
def test_what_is_no_template_is_refused_with_a_sentence(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Template(source)


def test_merge_tags_from_outside_are_no_programs() -> None:
    assert merge_tags_only("Hi {{ user.name }}").render(Values(**VALUES)) == "Hi Ann"
    for source in ("{% if true %}x{% endif %}", "{% assign a = 1 %}"):
        with pytest.raises(ValueError, match="does not parse"):
            merge_tags_only(source)


BIG = {"memory": {"big": "x" * 60_000, "list": list(range(1000))}, "user": {}}
BOMBS = [
    "{{ 'x' " + "| replace:'x','xxxxxxxxxx' " * 9 + "}}",
    "{{ (1..100000000) | join: 'x' }}",
    "{% for i in (1..100000000) %}x{% endfor %}",
    "{% for i in (1..1000) %}{% for j in (1..1000) %}{{i}}{% endfor %}{% endfor %}",
    "{% assign x = 99999 %}{% for i in (1..1000) %}{% assign x = x | times: x %}{% endfor %}",
    "{{ 5 | round: -99999999 }}",
    "{{ system.now | date: '%999999999d' }}",
    "{{ 'now' | date: '%Y' }}",
    "{{ memory.big | replace: 'x', memory.big }}",
    "{{ memory.list | join: memory.big }}",
    "{{ memory.big | append: memory.big }}",
    "{% for i in (1..1000) %}{% assign x = memory.big | replace: 'x','y' | upcase %}{% endfor %}",
    "{% for i in (1..1000) %}" + "{{i}}" * 190 + "{% endfor %}",
    "{% for i in (1..1000) %}" + "{%assign a=i%}" * 190 + "{% endfor %}",
    "{{ memory.big }}" * 50,
    "{{ memory.big | split: '' | join: 'aaaaa' }}",
    "{% for i in (1..99999999999999999999999) %}{% endfor %}",
    "{{ memory.list | concat: memory.list | concat: memory.list }}",
]


@pytest.mark.parametrize("source", BOMBS)
def test_a_bomb_ends_soon_with_an_error(source: str) -> None:
    template = Template(source)
    took = []
    for _ in range(3):
        begun = time.thread_time()
        with pytest.raises(NodeError):
            template.render(Values(**VALUES | BIG))
        took.append(time.thread_time() - begun)
    assert min(took) < 0.02


def test_plain_merge_tags_are_charged_for_what_they_show() -> None:
    values = Values(memory={"a": "x" * 60_000})
    values.work = Work(units=300)
    Template("{{ memory.a }}").render(values)
    with pytest.raises(NodeError):
        Template("{{ memory.a }}").render(values)


def test_an_expression_has_so_many_levels() -> None:
    Template("{% if memory.a" + " and memory.a" * 40 + " %}x{% endif %}")
    with pytest.raises(ValueError, match="nested too deeply"):
        Template("{% if memory.a" + " and memory.a" * 70 + " %}x{% endif %}")


def test_a_list_that_a_loop_goes_over_is_charged_before_its_first_turn() -> None:
    values = Values(memory={"list": list(range(5000))})
    values.work = Work(units=2000)
    with pytest.raises(NodeError, match="costs too much"):
        Template("{% for i in memory.list %}{% break %}{% endfor %}").render(values)


def test_a_filter_that_fails_is_named() -> None:
    with pytest.raises(NodeError, match=r"^template: ceil: "):
        Template("{{ memory.a | ceil }}").render(Values(memory={"a": "inf"}))


@pytest.mark.parametrize(("table", "part"), [(EVALUATED, Path), (RENDERED, OutputNode)])
def test_a_part_that_nothing_here_runs_does_not_parse(
    monkeypatch: pytest.MonkeyPatch, table: dict[type, Any], part: type
) -> None:
    monkeypatch.delitem(table, part)
    with pytest.raises(ValueError, match="which is not offered"):
        Template("{{ memory.a[memory.b] }}")


def test_a_filter_pays_for_what_it_reads_and_for_what_it_makes() -> None:
    shown = 60_000 // 256 + 1
    values = Values(memory={"a": "x" * 60_000})
    values.work = Work(units=3 * shown - 100)  # Read, made, shown: each would be too much after the others.
    with pytest.raises(NodeError, match="costs too much"):
        Template("{{ memory.a | upcase }}").render(values)
    values.work = Work(units=3 * shown + 100)
    assert Template("{{ memory.a | upcase }}").render(values) == "X" * 60_000


LONG = "y" * 60_000
WALKS: list[tuple[str, dict[str, Any], int]] = [
    ("{% if memory.a contains 'z' %}x{% endif %}", {"a": LONG}, 230),
    ("{% if memory.l contains 'z' %}x{% endif %}", {"l": ["y" * 1000] * 100}, 310),
    ("{% if memory.l == memory.k %}x{% endif %}", {"l": [[1]] * 900, "k": [[1]] * 900}, 1000),
    ("{% if memory.a < memory.b %}x{% endif %}", {"a": LONG, "b": LONG + "z"}, 230),
    ("{% for i in memory.o %}{% break %}{% endfor %}", {"o": {str(n): n for n in range(900)}}, 1800),
    ("{{ memory.l | sort | first }}", {"l": list(range(900))}, 1350),
    ("{{ memory.l | uniq | first }}", {"l": [{"a": n} for n in range(50)]}, 1600),
]


@pytest.mark.parametrize(("source", "memory", "least"), WALKS, ids=[walk[0] for walk in WALKS])
def test_whatever_is_gone_over_is_charged(source: str, memory: dict[str, Any], least: int) -> None:
    values = Values(memory=memory)
    Template(source).render(values)
    assert least <= Work().left - values.work.left < 2 * least


@pytest.mark.parametrize(
    "source",
    [
        "a {{ memory.x }} b", "{{memory.x-y}}", "{{- user.a -}} x ", " x {{- user.a -}}\n", '{{ memory["a b"].c }}',
        "{{ memory['x'] }}", "{% raw %}{{ x }}{% endraw %} {{ user.a }}", "{{ memory.size }}", "{{ user }}", "{{ nothing.x }}",
        "{{ memory.a | upcase }}", "{% if memory.a %}x{% endif %}", "{{ memory.list[0] }}", "{{ memory.a", "{{ }}", "}} {{ user.a }}",
        "{{ memory.true }}", "{{ memory.and }}", "{{ memory.a-1 }}", "{{ memory.a- }}", "{{ memory . a }}", "{{ memory.é }}",
        "{{ user.a }}" * 199, "{{ user.a }}" * 200,
    ],
)  # fmt: skip
def test_the_simplest_templates_are_read_as_the_parser_reads_them(source: str) -> None:
    """What the form does not tell is left to the parser; what it tells is what the parser says."""
    try:
        parts = Template(source)._parts
    except ValueError:
        parts = None
    assert parts_by_form(source) in (parts, None)


def test_the_form_tells_what_most_templates_are() -> None:
    plain = ("a {{ memory.x }} b", "{{- user.a -}} x ", '{{ memory["a b"].c }}', "{{memory.x-y}}")
    assert all(parts_by_form(source) is not None for source in plain)
