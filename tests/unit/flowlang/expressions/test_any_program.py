"""Whatever the program and its values are, what leaves an engine is a result or a NodeError, within its work."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.cel.functions import FUNCTIONS, METHODS
from flowlang.expressions.expression import Expression
from flowlang.expressions.json_paths import FUNCTIONS as JSON_FUNCTIONS
from flowlang.expressions.json_paths import JsonPath
from flowlang.expressions.templates import Template, merge_tags_only, url_template
from flowlang.liquid.filters import BUILT_IN
from flowlang.problems import NodeError
from flowlang.work import Work

pytestmark = pytest.mark.seconds(300)  # With the 2000 examples of `test slow`.

LEAVES: Any = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**4200), 10**4200), st.floats(), st.text(max_size=20),
    st.sampled_from(["inf", "-inf", "nan", "1e999", "0", "-1", "1.5", " ", "\ud800", "2026-11-21T07:05:00Z"]),
    st.sampled_from([math.inf, -math.inf, math.nan, 2**63, 2**64, -(2**63), 0.0, -0.0]),
)  # fmt: skip
LARGE: dict[str, Any] = {
    "<one text 900 times>": ["x" * 60_000] * 900,
    "<many items>": list(range(1001)),
    "<a long text>": "x" * 70_000,
    "<many digits>": "9" * 4000,
    "<a long list of objects>": [{"a": [n, {"b": n}]} for n in range(800)],
}
"""Values by a short name, which is what a failing test shows."""
VALUES: Any = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
ODD: Any = VALUES | st.sampled_from(sorted(LARGE))


def real(value: Any) -> Any:
    """The value that a name of LARGE stands for."""
    return LARGE.get(value, value) if isinstance(value, str) else value


class Values:
    """Scopes out of a dict."""

    def __init__(self, memory: Any) -> None:
        self.work = Work()
        self._memory = [real(value) for value in memory]

    def scope(self, name: str) -> Any:
        return {"a": self._memory[0], "b": self._memory[1], "c": self._memory[2]} if name == "memory" else {}

    def missing(self, name: str) -> None:
        """Nothing is strict here."""


SOON_SECONDS = 1.0
"""Of CPU, as tests/bombs has it; a whole budget takes about a third of that."""
THREE = st.tuples(ODD, ODD, ODD)
FILTERS = ("map", "replace", "join", "round", "date", "uniq", *BUILT_IN)


@given(names=st.lists(st.sampled_from(FILTERS), min_size=1, max_size=3), count=st.integers(0, 2), values=THREE)
def test_filters(names: list[str], count: int, values: Any) -> None:
    arguments = ["", ": memory.b", ": memory.b, memory.c"][count]
    ends(
        lambda: Template("{{ memory.a" + "".join(f" | {name}{arguments}" for name in names) + " }}").render(
            Values(values)
        )
    )


@given(values=THREE, sign=st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains", "and", "or"]))
def test_conditions_and_loops(values: Any, sign: str) -> None:
    source = (
        "{% if memory.a "
        + sign
        + " memory.b %}x{% endif %}{% for i in (memory.a..memory.b) limit: memory.c %}{{ i }}{% endfor %}"
        "{% for i in memory.a offset: memory.b reversed %}{{ i }}{% endfor %}{{ memory[memory.a].size }}{{ memory.a.first }}"
    )
    ends(lambda: Template(source).render(Values(values)))


@given(values=THREE)
def test_values_that_are_shown(values: Any) -> None:
    ends(lambda: Template("{{ memory.a }} {{ memory }}").render(Values(values)))
    ends(lambda: url_template("https://a.example/{{ memory.a }}?{{ memory.b | upcase }}").render(Values(values)))


PIECES = st.sampled_from([
    "{{", "}}", "{%", "%}", "-", "|", ":", ",", "memory", ".a", "[", "]", "(", ")", "..", "'", '"', "1", "-1", "if ", "for i in ",
    "endif", "endfor", "case ", "when ", "assign x = ", " and ", " == ", " contains ", " limit:", " offset:", "raw", "upcase", " ",
])  # fmt: skip


@given(source=st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60).map("{{{}}}".format), values=THREE)
def test_texts_that_may_be_templates(source: str, values: Any) -> None:
    for read in (Template, merge_tags_only, url_template):
        try:
            template = read(source)
        except ValueError:
            continue
        ends(lambda template=template: template.render(Values(values)))


@given(name=st.sampled_from(sorted({*FUNCTIONS, *METHODS})), form=st.integers(0, 4), values=THREE)
def test_functions_of_cel(name: str, form: int, values: Any) -> None:
    source = (
        f"{name}(memory.a)", f"memory.a.{name}()", f"memory.a.{name}(memory.b)", f"{name}(memory.a, memory.b)",
        f"{name}({name}(memory.a))",
    )[form]  # fmt: skip
    expression = Expression(source)
    ends(lambda: expression.evaluate(Values(values)))


@given(sign=st.sampled_from(["+", "-", "*", "/", "%", "==", "<", ">=", "in", "&&", "||"]), values=THREE)
def test_operators_of_cel(sign: str, values: Any) -> None:
    ends(lambda: Expression(f"memory.a {sign} memory.b").evaluate(Values(values)))
    ends(lambda: Expression(f"memory.a.map(x, x {sign} memory.b)").evaluate(Values(values)))
    ends(
        lambda: Expression(f"[memory.a[memory.b], {{'k': memory.c}}, -memory.a, !memory.b] {sign} []").evaluate(
            Values(values)
        )
    )


WORDS = st.sampled_from([
    "memory", ".a", "[", "]", "(", ")", "{", "}", "'", '"', '"""', "r", "b", "\\", "//", "\n", "1", "1.5", "u", "-", "!", "?", ":",
    ",", " in ", "==", "&&", "||", "+", ".map(x, ", ".all(", "has(", "size(", "true", "null", " ",
])  # fmt: skip


@given(source=st.lists(WORDS, max_size=25).map("".join) | st.text(max_size=40), values=THREE)
def test_texts_that_may_be_cel(source: str, values: Any) -> None:
    try:
        expression = Expression(source)
    except ValueError:
        return
    ends(lambda: expression.evaluate(Values(values)))


@given(name=st.sampled_from(sorted(JSON_FUNCTIONS)), form=st.integers(0, 3), values=THREE)
def test_functions_of_jmespath(name: str, form: int, values: Any) -> None:
    source = (f"{name}(a)", f"{name}(a, b)", f"{name}(&@, a)", f"{name}(a, &@)")[form]
    path, body = JsonPath(source), dict(zip("abc", map(real, values), strict=True))
    ends(lambda: path.find(body, Work()))


@given(source=st.text(max_size=40), values=THREE)
def test_texts_that_may_be_jmespath(source: str, values: Any) -> None:
    try:
        path = JsonPath(source)
    except ValueError:
        return
    ends(lambda: path.find([real(value) for value in values], Work()))


class Odd:
    """A value that no engine expects: comparing it raises what none of them names."""

    def __eq__(self, other: object) -> bool:
        raise RecursionError

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize(
    "run",
    [
        lambda values: Template("{% if memory.a == memory.b %}x{% endif %}").render(values),
        lambda values: Expression("memory.a == memory.b").evaluate(values),
        lambda values: JsonPath("a == b").find(values.scope("memory"), Work()),
    ],
    ids=["liquid", "cel", "jmespath"],
)
def test_whatever_is_raised_beneath_an_engine_is_the_programs_failure(run: Any) -> None:
    with pytest.raises(NodeError):
        run(Values([Odd(), Odd(), 1]))


def ends(run: Any) -> None:
    """It ends by itself, soon, and with nothing but a NodeError."""
    begun = time.thread_time()
    with suppress(NodeError):
        run()
    assert time.thread_time() - begun < SOON_SECONDS
