"""CEL: values and their types, what is refused when it is saved, what is too big when it runs."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from typing import Any

import pytest

from flowlang.expressions.expression import Expression
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


@pytest.fixture
def uncollected() -> Iterator[None]:
    """What is measured is the expression, and not the collector in a process that has all tests in memory."""
    gc.disable()
    yield
    gc.enable()


VALUES: dict[str, Any] = {
    "user": {"name": "Ann", "tags": ["a", "b"]},
    "memory": {"favourite-thing": "tea", "seats": 2, "price": 1.5},
    "system": {"now": "2026-11-21T07:05:00Z"},
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("memory.seats > 0", True),
        ("memory.seats + 1", 3),
        ("memory.price * 2.0", 3.0),
        ('memory["favourite-thing"] == "tea"', True),
        ("has(memory.gone)", False),
        ("user.tags.exists(t, t == 'b') && size(user.tags) == 2", True),
        ("user.tags.map(t, t + '!')", ["a!", "b!"]),
        ("{'a': [1, 2.5, null]}", {"a": [1, 2.5, None]}),
        ("timestamp(system.now) - duration('1h')", "2026-11-21T06:05:00Z"),
        ("duration('90s')", 90.0),
        ("user.name.startsWith('A') ? 'yes' : 'no'", "yes"),
        ("user.name.matches('^A.+')", True),
        ("user.name.matches(r'^\\w+$') && !('(' == user.name)", True),
        ("user.name.matches('\\\\(')", False),
        ("'+ + + + + + + + +' == user.name", False),
        ("contact.name", None),
    ],
)
def test_values_keep_their_types(source: str, value: Any) -> None:
    assert Expression(source).evaluate(Values(**VALUES)) == value


def test_what_is_missing_is_no_value_and_noted() -> None:
    values = Values(**VALUES)
    assert Expression("memory.gone > 0").evaluate(values) is None
    assert "gone" in values.noted[0]


@pytest.mark.parametrize("source", ["user.name > 1", "1 / 0", "9223372036854775807 + 1", "b'x'", "user.tags[9]"])
def test_an_error_is_a_node_error(source: str) -> None:
    with pytest.raises(NodeError):
        Expression(source).evaluate(Values(**VALUES))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("memory.seats >", "does not parse: line 1"),
        ("seats > 0", "there is no 'seats'"),
        ("memory.favourite-thing == 'x'", r'write memory\["favourite-thing"\]'),
        ("open('x')", "there is no function 'open'"),
        ("true" + " || true" * 300, "at most 2000 characters"),
        ("+".join(["user.name"] * 10), r"at most 8 `\+`"),
        ("user.tags.map(a, user.tags.map(b, b))", "inside another"),
        ("user.tags . exists ( a , user.tags . all ( b , true))", "inside another"),
        ("user.tags.exists(t, t.matches('x'))", "matches"),
        ("'a'.matches('a') || 'b'.matches('b')", "at most one matches"),
        ("user.name.matches(user.pattern)", "as a literal"),
        ("user.name.matches('(a{1000}){1000}')", "RE2"),
        ("user.name.matches('(')", "RE2"),
        ("(" * 900 + "1" + ")" * 900, "does not parse"),
    ],
)
@pytest.mark.usefixtures("uncollected")
def test_what_could_cost_much_or_is_wrong_is_refused_when_it_is_saved(source: str, says: str) -> None:
    begun = time.thread_time()
    with pytest.raises(ValueError, match=says):
        Expression(source)
    assert time.thread_time() - begun < 0.1


def test_a_hyphen_that_may_be_meant_gets_a_hint() -> None:
    assert Expression("memory.seats-memory.price > 0.0").hint is not None
    assert Expression('memory["favourite-thing"] == "x" && memory.seats - 1 > 0').hint is None


def test_reads_are_the_paths() -> None:
    reads = Expression('memory["favourite-thing"] == user.name && user.tags.exists(x, x == "a.b") && bot.x.y > 1').reads
    assert set(reads) == {("memory", "favourite-thing"), ("user", "name"), ("user", "tags"), ("bot", "x", "y")}


BIG = {
    "memory": {"big": "x" * 60_000, "list": list(range(1000)), "texts": ["x" * 60] * 900, "pair": {"a": 1}},
    "event": {"content": "y" * 65_000},
}
BOMBS = [
    "[" + "event.content," * 130 + "1]",
    "memory.list.map(x, memory.list)",
    "memory.list.map(x, event.content.contains('yz'))",
    "[" + "1," * 900 + "1].map(x, event.content)",
    "memory.texts.map(x, x+x+x+x+x+x+x+x)",
    "memory.list.filter(x, x in memory.list)",
]


@pytest.mark.parametrize("source", BOMBS)
def test_a_bomb_ends_soon_with_an_error(source: str) -> None:
    expression = Expression(source)
    took = []
    for _ in range(3):
        begun = time.thread_time()
        with pytest.raises(NodeError):
            expression.evaluate(Values(**BIG))
        took.append(time.thread_time() - begun)
    assert min(took) < 0.02


@pytest.mark.parametrize("scopes", [{"event": {"content": "x" * 70_000}}, {"event": {"content": list(range(1001))}}])
def test_texts_and_lists_that_enter_are_bounded(scopes: dict[str, Any]) -> None:
    with pytest.raises(NodeError, match="expression-too-costly"):
        Expression("size(event.content) > 0").evaluate(Values(**scopes))


@pytest.mark.usefixtures("uncollected")
def test_a_long_text_that_is_no_number_is_seen_to_be_none_in_time() -> None:
    begun = time.thread_time()
    for _ in range(20):
        with pytest.raises(NodeError, match="no number"):
            Expression("double(memory.digits)").evaluate(Values(memory={"digits": "9" * 60_000}))
    assert time.thread_time() - begun < 0.02


def test_what_is_in_another_scope_does_not_count() -> None:
    assert Expression("user.name == 'Ann'").evaluate(Values(**VALUES, event={"content": "x" * 70_000})) is True


LONG = "y" * 60_000
WALKS: list[tuple[str, dict[str, Any], int]] = [
    ("memory.l.all(i, true)", {"l": [1] * 900}, 900),
    ("memory.a.contains('yz')", {"a": LONG}, 230),
    ("memory.a.startsWith('yz')", {"a": LONG}, 230),
    ("3 in memory.l", {"l": [1] * 900}, 1100),
    ("memory.l == memory.k", {"l": [[1]] * 900, "k": [[1]] * 900}, 1800),
    ("memory.l == memory.k", {"l": [{"a": 1}] * 900, "k": [{"a": 1}] * 900}, 1800),
    ("memory.l == memory.k", {"l": [[""] * 900], "k": [[""] * 900]}, 110),
    (
        "memory.l == memory.k",
        {"l": dict.fromkeys(map(str, range(900)), ""), "k": dict.fromkeys(map(str, range(900)), "")},
        110,
    ),
    ("memory.a == memory.b", {"a": LONG, "b": "y" * 60_000}, 230),
    ("memory.a < memory.b", {"a": LONG, "b": LONG + "z"}, 230),
    ("size(memory.a + memory.a)", {"a": LONG[:30_000]}, 230),
    ("size(memory.l + memory.l)", {"l": [1] * 450}, 220),
    ("max(memory.l)", {"l": [1] * 900}, 220),
    ("memory.a.matches('^(yy|z)*$')", {"a": LONG}, 2500),
    ("memory.l", {"l": [1] * 900}, 220),
    ("memory.l", {"l": [[]] * 900}, 1100),
    ("memory.a", {"a": LONG}, 230),
]


@pytest.mark.parametrize(
    ("source", "memory", "least"), WALKS, ids=[f"{walk[0]}-{place}" for place, walk in enumerate(WALKS)]
)
def test_whatever_is_gone_over_is_charged(source: str, memory: dict[str, Any], least: int) -> None:
    values = Values(memory=memory)
    Expression(source).evaluate(values)
    assert least <= Work().left - values.work.left < 2 * least


@pytest.mark.parametrize("source", ["1.0 / 0.0", "-1.0 / 0.0", "double('nan')", "[{'a': 1e308 * 10.0}]"])
def test_a_number_that_json_has_not_is_an_error_and_not_null(source: str) -> None:
    """Seen: it was kept as null, as if nothing were there."""
    with pytest.raises(NodeError, match="no number of JSON"):
        Expression(source).evaluate(Values())
    assert Expression("1.0 / 0.0 > 1.0").evaluate(Values()) is True
