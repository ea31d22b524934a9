"""From source to a tree that may run: the tags, filters and expressions that are offered, and not nested too deeply."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from liquid import Environment, Mode
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.output import Output, OutputNode
from liquid.exceptions import LiquidError
from liquid.parser import get_parser
from liquid.token import TOKEN_EXPRESSION, TOKEN_OUTPUT

from flowlang.liquid import expressions, filters, nodes
from flowlang.liquid.lexing import Cut, Stream, words
from flowlang.liquid.rendering import Rendering

TAGS = ("if", "unless", "case", "for", "assign", "comment", "break", "continue", "#")
_PSEUDO_TAGS = ("content", "output", "illegal")
DEEPEST_EXPRESSION = 64
"""`a and b and c` is one deeper with each word; blocks nest 30 deep at most (python-liquid's own limit)."""


class _Output(Output):
    def parse(self, stream: Any) -> OutputNode:
        token = stream.eat(TOKEN_OUTPUT)
        node = OutputNode(token, FilteredExpression.parse(self.env, words(stream.expect(TOKEN_EXPRESSION))))
        reader: Any = self.env
        return nodes.output_in_json(node) if reader.rendering.is_json else node


class Reader(Environment):
    """Reads templates. `encode` is done to what a merge tag shows, where something is; `rendering` is how they run."""

    def __init__(
        self, encode: Callable[[str], str] | None, tags: tuple[str, ...], rendering: type[Rendering] = Rendering
    ) -> None:
        super().__init__(tolerance=Mode.STRICT, strict_filters=True)
        self.encode, self.rendering = encode, rendering
        self.filters = filters.allowed(self)
        self.tags = {name: tag for name, tag in self.tags.items() if name in (*tags, *_PSEUDO_TAGS)}
        self.add_tag(_Output)

    def _parse(self, source: str) -> list[Any]:
        return get_parser(self).parse(Stream(Cut(source).tokens()))

    def read(self, source: str) -> tuple[list[Any], Any]:
        """The template's tree and python-liquid's analysis of it. Raises ValueError with a sentence."""
        try:
            parsed = self.from_string(source)
            _refuse_unknown(parsed.nodes)
            analysis = parsed.analyze(include_partials=False)
        except LiquidError as error:
            raise ValueError(f"the template does not parse: {first_line(error)}") from error
        except RecursionError as error:
            raise ValueError("the template is nested too deeply") from error
        for name in analysis.filters:
            if name not in self.filters:
                raise ValueError(f"there is no filter {name!r}; there are: {', '.join(sorted(self.filters))}")
        return parsed.nodes, analysis


def first_line(error: Exception) -> str:
    """What an error says, without the source around it."""
    return str(error).split("\n", 1)[0][:200]


def _refuse_unknown(tree: Iterable[Any]) -> None:
    """Raises ValueError for a part that nothing here runs, and for nesting."""
    waiting = list(tree)
    while waiting:
        node = waiting.pop()
        if type(node) not in nodes.RENDERED:
            raise ValueError(f"the template has a {type(node).__name__}, which is not offered")
        for expression in node.expressions():
            _refuse_deep(expression)
        waiting.extend(node.children(None))


def _refuse_deep(expression: Any) -> None:
    waiting = [(expression, 1)]
    while waiting:
        part, depth = waiting.pop()
        if depth > DEEPEST_EXPRESSION:
            raise ValueError("the template is nested too deeply")
        if type(part) not in expressions.EVALUATED:
            raise ValueError(f"the template has a {type(part).__name__}, which is not offered")
        waiting.extend((child, depth + 1) for child in part.children())
