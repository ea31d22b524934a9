"""What is decided without CEL is decided as CEL does; everything else is left to it."""

from __future__ import annotations

from typing import Any

import cel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.expressions.comparisons import comparison

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.integers(-3, 3), st.floats(allow_nan=False), st.text(),
    st.sampled_from(["", "3", "a", "/stop"]), st.lists(st.integers()), st.dictionaries(st.text(), st.integers()),
)  # fmt: skip
LITERALS = ["3", "-2", "0", '"3"', "'a'", '"/stop"', '""', '"it\'s"', "'\u00e9 \U0001f600'"]


@given(value=VALUES, sign=st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), literal=st.sampled_from(LITERALS))
def test_it_never_decides_otherwise_than_cel(value: Any, sign: str, literal: str) -> None:
    source = f"user.a.b {sign} {literal}"
    found = comparison(source)
    user = {"a": {"b": value}}
    decided = found.decide(user) if found else None
    if decided is not None:
        assert decided is cel.compile(source).execute({"user": user})


@pytest.mark.parametrize("user", [{}, {"a": None}, {"a": 3}, {"a": [1]}, 3, {"a": {"b": True}}, {"a": {"b": 1.0}}])
def test_what_is_not_there_or_of_another_type_is_left_to_cel(user: Any) -> None:
    found = comparison("user.a.b == 1")
    assert found is not None
    assert found.decide(user) is None


@pytest.mark.parametrize(
    "source",
    [
        "user.a", "user == 1", "user.a == 1.5", "user.a == user.b", 'user.a == "\\n"', 'user.a < "b"', "user.a == 1u",
        'user.a == r"x"', "user.a == 1 && true", "!(user.a == 1)", "1 == user.a", "user.a() == 1", "user.a == 9999999999999999999",
        'user["a"] == 1', "user.a == true", 'user.a == """x"""', "user.a == --1",
    ],
)  # fmt: skip
def test_what_is_more_than_a_comparison_is_left_to_cel(source: str) -> None:
    assert comparison(source) is None


def test_it_decides_what_most_conditions_say() -> None:
    for source, user, expected in (
        ('user.a == "x"', {"a": "x"}, True),
        ("user.a != 'x'", {"a": "x"}, False),
        ("user.points >= 10", {"points": 10}, True),
        ("user.points<-1", {"points": 0}, False),
    ):
        found = comparison(source)
        assert found is not None
        assert found.root == "user"
        assert found.decide(user) is expected
