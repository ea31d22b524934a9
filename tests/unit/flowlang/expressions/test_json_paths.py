"""JMESPath: it finds what jmespath finds, offers a list of functions, and pays for what it makes."""

from __future__ import annotations

from typing import Any

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

from flowlang.expressions.json_paths import FUNCTIONS, LONGEST_RESULT, JsonPath
from flowlang.problems import NodeError
from flowlang.work import Work

BODY: dict[str, Any] = {
    "items": [{"n": 2, "t": "b", "tags": ["x"]}, {"n": 1, "t": "a", "tags": []}, {"t": "c", "tags": ["y"]}],
    "name": "Ann", "n": 3, "flat": [3, 1, 2], "texts": ["b", "a"], "deep": {"a": {"b": [[1, [2]], 3]}}, "none": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "items[?n > `1`].t", "items[*].t | [0]", "deep.a.b[]", "deep.*.b[]", "items[::2].t", "flat[-1]", "!none && name", "none || n",
        "items[?contains(tags, 'x')]", "sort_by(items[?n], &n)[].t", "max_by(items[:2], &n).t", "map(&t, items)", "join('-', texts)",
        "{a: name, b: n}", "[name, n]", "length(items)", "to_string(deep)", "to_number('2')", "sum(flat)", "avg(flat)", "keys(deep)",
        "values(deep)", "merge(deep, {b: n})", "reverse(flat)", "type(name)", "not_null(none, n)", "items[?t == 'a' || n == `2`]",
        "abs(n)", "starts_with(name, 'A')", "sort(texts)", "min(flat)", "to_array(n)", "floor(`1.5`)", "@.n", "n == `3`",
    ],
)  # fmt: skip
def test_it_finds_what_jmespath_finds(source: str) -> None:
    assert JsonPath(source).find(BODY, Work()) == jmespath.search(source, BODY)


def test_the_functions_are_those_of_the_language() -> None:
    assert set(Functions.FUNCTION_TABLE) == FUNCTIONS


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("eval(@)", "there is no function 'eval'"),
        ("items[?", "not a JMESPath expression"),
        ("a" * 501, "at most 500"),
        ("!" * 400 + "a", "nested too deeply"),
        ("[a,[b,[c,[d]]]]", "may follow or hold each other 3 times"),
    ],
)
def test_what_cannot_be_offered_is_refused_when_it_is_saved(source: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        JsonPath(source)


@pytest.mark.parametrize("body", [{"a": [[1] * 100] * 60}, {"a": ["x" * 40_000] * 2}], ids=["values", "characters"])
def test_what_is_selected_has_a_size(body: dict[str, Any]) -> None:
    with pytest.raises(NodeError, match="selects more than"):
        JsonPath("a").find(body, Work())


WALKS: list[tuple[str, dict[str, Any], int]] = [
    ("l[*].a.b.c", {"l": [{"a": {"b": {"c": 1}}}] * 200}, 800),
    ("length(a)", {"a": "y" * 60_000}, 230),
    ("to_string(l) | length(@)", {"l": list(range(1000))}, 160),
    ("map(&n, l) | length(@)", {"l": [{"n": 1}] * 100}, 220),
    ("to_array(a) | length(@)", {"a": "y" * 60_000}, 690),
    ("l[] | length(@)", {"l": [[1] * 10] * 100}, 1250),
    ("l[::1] | length(@)", {"l": [1] * 1000}, 1250),
    ("sort(l)", {"l": list(range(500))}, 5000),
    ("l == k", {"l": [[1]] * 900, "k": [[1]] * 900}, 1000),
]


@pytest.mark.parametrize(("source", "body", "least"), WALKS, ids=[walk[0] for walk in WALKS])
def test_whatever_is_gone_over_is_charged(source: str, body: dict[str, Any], least: int) -> None:
    work = Work()
    JsonPath(source).find(body, work)
    assert least <= Work().left - work.left < 2 * least


def test_the_size_of_a_joined_text_is_known_before_it_is_made() -> None:
    body = {"between": "x" * 2000, "texts": ["a"] * 100}
    with pytest.raises(NodeError, match=f"more than {LONGEST_RESULT} characters"):
        JsonPath("join(between, texts)").find(body, Work())


NAMES = st.sampled_from(
    ["items", "name", "n", "t", "flat", "deep", "none", "texts", "tags", "@", "`1`", "'x'", "`[1]`"]
)


def _grown(inner: Any) -> Any:
    return st.one_of(
        st.tuples(inner, NAMES).map(lambda part: f"{part[0]}.{part[1]}" if part[1][0].isalpha() else part[0]),
        st.tuples(inner, st.sampled_from(["==", "<", "&&", "||", "!="]), inner).map(" ".join),
        inner.map(lambda part: f"{part}[]"),
        inner.map(lambda part: f"({part})[?n]"),
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.lists(inner, min_size=1, max_size=2)).map(
            lambda part: f"{part[0]}({', '.join(part[1])})"
        ),
        st.tuples(inner, inner).map(lambda part: f"map(&{part[0]}, {part[1]})"),
    )


@given(source=st.recursive(NAMES, _grown, max_leaves=6))
def test_whatever_is_asked_is_found_or_an_error(source: str) -> None:
    try:
        path = JsonPath(source)
    except ValueError:
        return
    try:
        expected = jmespath.search(source, BODY)
    except (JMESPathError, TypeError, ValueError, AttributeError, ArithmeticError):
        with pytest.raises(NodeError):
            path.find(BODY, Work())
    else:
        assert path.find(BODY, Work()) == expected
