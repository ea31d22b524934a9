"""What is read and rendered here is what python-liquid reads and renders, as long as it costs little."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liquid import Environment, Mode
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError
from liquid.lex import get_lexer
from liquid.undefined import Undefined

from flowlang.expressions.templates import Template
from flowlang.liquid.filters import BUILT_IN
from flowlang.liquid.lexing import Cut
from flowlang.liquid.rendering import show
from flowlang.problems import NodeError
from flowlang.work import Work


class _OutputNode(OutputNode):
    def render_to_output(self, context: Any, buffer: Any) -> int:
        value = self.expression.evaluate(context)
        return 0 if isinstance(value, Undefined) else buffer.write(show(value))


class _Output(Output):
    node_class = _OutputNode


LIBRARY = Environment(tolerance=Mode.STRICT, strict_filters=True)
LIBRARY.add_tag(_Output)
LEXER = get_lexer("{%", "%}", "{{", "}}", "", "")
VALUES: dict[str, Any] = {
    "user": {"name": "Ann", "tags": ["a", "b", "a"], "none": None, "vip": True, "size": 7},
    "memory": {"n": 3, "d": 1.5, "list": [3, 1, 2], "objects": [{"k": 1}, {"k": 2}, {}], "empty": [], "text": " a b "},
}


class Values:
    """Scopes out of VALUES."""

    def __init__(self) -> None:
        self.work = Work()

    def scope(self, name: str) -> Any:
        return VALUES.get(name, {})

    def missing(self, name: str) -> None:
        """Nothing is strict here."""


def ours(source: str) -> str | None:
    """The text; None where it is refused or fails."""
    try:
        return Template(source).render(Values())
    except (ValueError, NodeError):
        return None


def theirs(source: str) -> str | None:
    try:
        return str(LIBRARY.from_string(source).render(**VALUES))
    except (LiquidError, ValueError, ArithmeticError, TypeError):
        return None


PIECES = st.sampled_from([
    "{{", "}}", "{%", "%}", "{%-", "-%}", "{{-", "-}}", " ", "\n", "a", "-", "if a", "endif", "raw", "endraw", "comment",
    "endcomment", "# x", "assign a = 1", "{", "}", "%", "user.name", "é", "{% raw %}", "{% endraw %}", "{{ a }}",
])  # fmt: skip


@given(source=st.lists(PIECES, max_size=12).map("".join))
def test_a_source_is_cut_into_the_same_tokens(source: str) -> None:
    if "comment" in source:
        return  # What stands in a comment is not kept here.

    def cut(tokens: Any) -> list[tuple[str, str]] | None:
        try:
            return [(token.kind, token.value) for token in tokens]
        except LiquidError:
            return None

    found, expected = cut(Cut(source).tokens()), cut(LEXER(source))
    if found is not None and expected is not None:
        assert _joined(found) == _joined(expected)
    else:
        assert (
            found is expected is None or "{{{" in source or "{{%" in source
        )  # There `{{` may be text; here it wants its `}}`.


def _joined(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Texts that follow each other as one: python-liquid cuts off a last end of line. Empty ones are none."""
    made: list[tuple[str, str]] = []
    for kind, value in tokens:
        if kind == "content" and made and made[-1][0] == "content":
            made[-1] = (kind, made[-1][1] + value)
        elif value or kind != "content":
            made.append((kind, value))
    return made


PATHS = st.sampled_from([
    "user.name", "user.tags", "user.none", "user.vip", "user.gone", "user.size", "user.tags.size", "user.tags.first",
    "memory.n", "memory.d", "memory.list", "memory.list[1]", "memory.list[9]", "memory.list.last", "memory.objects",
    "memory.objects[0].k", "memory.empty", "memory.text", 'memory["n"]', "memory[user.name]", "i", "forloop.index", "a", "a.b",
    "forloop.parentloop.index", "'x'", '"1"', "2", "1.5", "true", "nil", "empty", "blank", "(1..3)", "(memory.n..5)",
])  # fmt: skip
FILTERS = st.one_of(
    st.sampled_from(BUILT_IN),
    st.tuples(st.sampled_from(BUILT_IN), PATHS).map(": ".join),
    st.tuples(st.sampled_from(BUILT_IN), PATHS, PATHS).map(lambda part: f"{part[0]}: {part[1]}, {part[2]}"),
)
VALUE = st.tuples(PATHS, st.lists(FILTERS, max_size=2)).map(lambda part: " | ".join((part[0], *part[1])))
COMPARED = st.tuples(PATHS, st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "contains"]), PATHS).map(" ".join)
CONDITION = st.lists(PATHS | COMPARED, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([" and ", " or "]).map(lambda word: word.join(parts))
)
LIMITS = st.sampled_from(
    ["", " limit: 2", " offset: 1", " reversed", " limit: 1 offset: continue", " limit: 0", " offset: memory.n"]
)


def _blocks(inner: Any) -> Any:
    body = st.lists(inner, max_size=3).map("".join)
    return st.one_of(
        st.tuples(CONDITION, body, body).map(lambda p: f"{{% if {p[0]} %}}{p[1]}{{% else %}}{p[2]}{{% endif %}}"),
        st.tuples(CONDITION, body, CONDITION, body).map(
            lambda p: f"{{% unless {p[0]} %}}{p[1]}{{% elsif {p[2]} %}}{p[3]}{{% endunless %}}"
        ),
        st.tuples(PATHS, PATHS, PATHS, body, body).map(
            lambda p: f"{{% case {p[0]} %}}{{% when {p[1]}, {p[2]} %}}{p[3]}{{% else %}}{p[4]}{{% endcase %}}"
        ),
        st.tuples(PATHS, LIMITS, body, body).map(
            lambda p: f"{{% for i in {p[0]}{p[1]} %}}{p[2]}{{% else %}}{p[3]}{{% endfor %}}"
        ),
    )


SIMPLE = st.one_of(
    st.sampled_from(
        [
            "text",
            " ",
            "\n",
            "{% break %}",
            "{% continue %}",
            "{% comment %}x{% endcomment %}",
            "{% raw %}{{{% endraw %}",
        ]
    ),
    VALUE.map(lambda value: f"{{{{ {value} }}}}"),
    VALUE.map(lambda value: f"{{% assign a = {value} %}}"),
)
TEMPLATES = st.lists(st.recursive(SIMPLE, _blocks, max_leaves=6), min_size=1, max_size=4).map("".join)


@pytest.mark.seconds(300)
@given(source=TEMPLATES)
def test_a_template_shows_the_same(source: str) -> None:
    shown = theirs(source)
    if shown is not None:
        assert ours(source) == shown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{% for i in (1..10000000000000000) limit:2 offset:1000000000000000 %}{{ i }} {% endfor %}", "1000000000000001 1000000000000002 "),
        ("{% if memory contains memory.list %}x{% else %}y{% endif %}", "y"),
        ("{{ memory.objects | uniq | size }} {{ user.tags | uniq | join: ',' }}", "3 a,b"),
        ("{{ now }}{{ today }}", ""),
    ],
)  # fmt: skip
def test_what_was_a_bomb_is_cheap_or_defined(source: str, text: str) -> None:
    assert ours(source) == text
