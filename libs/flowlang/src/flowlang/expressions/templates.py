"""Merge tags: Liquid, parsed once, its cost bounded, without partials, includes or a clock.

A template of texts and plain paths (`{{ memory.favourite-thing }}`), which most are, renders without Liquid's machinery
by the same rules; everything else goes through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from typing import Any, TextIO
from urllib.parse import quote

import orjson
from liquid import Environment, Mode
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import Output, OutputNode
from liquid.context import RenderContext
from liquid.exceptions import LiquidError
from liquid.output import LimitedStringIO
from liquid.undefined import Undefined

from flowlang.expressions import filters
from flowlang.expressions.scopes import ROOTS, Scopes
from flowlang.problems import NodeError

LONGEST_SOURCE = 16_000
MOST_TAGS = 200
LONGEST_OUTPUT = 64 * 1024
BUDGET = 10_000
"""Units of work of one rendering; a unit is about a microsecond."""

TAGS = ("if", "unless", "case", "for", "assign", "comment", "break", "continue", "#")
_PSEUDO_TAGS = ("content", "output", "illegal")
_LIQUID_PROPERTIES = frozenset(("size", "first", "last"))
_ABSENT: Any = object()
_HAS_MARKUP = re.compile(r"\{\{|\{%")

Reference = tuple[str, ...]
"""A path that a template or expression reads: ("memory", "seats")."""


def show(value: Any) -> str:
    """A value as a person reads it: texts as they are, lists joined, objects as JSON, nothing for null."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "".join(map(show, value))
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return str(value)


def _as_it_is(text: str) -> str:
    return text


def _percent_encoded(text: str) -> str:
    return quote(text, safe="")


class _Context(RenderContext):
    """Counts the work of one rendering and what it read in vain."""

    __slots__ = ("missing", "spent", "weight")

    def __init__(self, template: Any, scopes: dict[str, Any], weight: int) -> None:
        super().__init__(template, globals=scopes)
        self.missing: list[str] = []
        self.spent = 0
        self.weight = weight

    def charge(self, units: int) -> None:
        """Count work. Raises LiquidError past the budget."""
        self.spent += units
        if self.spent > BUDGET:
            raise LiquidError("it costs too much: fewer loops or filters, or shorter texts", token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.charge(length * self.weight)


class _OutputNode(OutputNode):
    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        value = self.expression.evaluate(context)
        if isinstance(value, Undefined):
            context.missing.append(str(self.expression))  # type: ignore[attr-defined]
            return 0
        return buffer.write(context.env.encode(show(value)))  # type: ignore[attr-defined]


class _Output(Output):
    node_class = _OutputNode


class _Environment(Environment):
    output_stream_limit = LONGEST_OUTPUT

    def __init__(self, encode: Callable[[str], str], tags: tuple[str, ...]) -> None:
        super().__init__(tolerance=Mode.STRICT, strict_filters=True)
        self.encode = encode
        self.filters = filters.allowed(self)
        self.tags = {name: tag for name, tag in self.tags.items() if name in (*tags, *_PSEUDO_TAGS)}
        self.add_tag(_Output)


_TEXT = _Environment(_as_it_is, TAGS)
_URL = _Environment(_percent_encoded, TAGS)
_MERGE_TAGS_ONLY = _Environment(_as_it_is, ())


class Template:
    """A text with merge tags. `reads` are the paths it reads, for the checker."""

    __slots__ = ("_encode", "_liquid", "_parts", "_roots", "_weight", "reads", "source")

    def __init__(self, source: str, environment: _Environment = _TEXT) -> None:
        """Raises ValueError, with a sentence, when it does not parse or is too long."""
        self.source = source
        self.reads: tuple[Reference, ...] = ()
        self._encode = environment.encode
        self._parts: list[str | Reference] | None = [source] if source else []
        self._roots: tuple[str, ...] = ()
        self._liquid: Any = None
        self._weight = 0
        if _HAS_MARKUP.search(source):
            self._parse(environment)

    def _parse(self, environment: _Environment) -> None:
        if len(self.source) > LONGEST_SOURCE:
            raise ValueError(f"a template has at most {LONGEST_SOURCE} characters")
        self._weight = self.source.count("{%") + self.source.count("{{") + 1
        if self._weight > MOST_TAGS:
            raise ValueError(f"a template has at most {MOST_TAGS} merge tags")
        self._liquid = _parsed(self.source, environment)
        analysis = self._liquid.analyze(include_partials=False)
        paths = [v.segments for found in analysis.globals.values() for v in found]
        self.reads = tuple(tuple(map(str, path)) for path in paths)
        self._roots = tuple(root for root in analysis.globals if root in ROOTS)
        self._parts = _plain_parts(self._liquid.nodes)

    @property
    def is_literal(self) -> bool:
        """Without merge tags: the source is the text."""
        return self._liquid is None

    def render(self, scopes: Scopes) -> str:
        """The text. What is missing renders empty and is noted. Raises NodeError when it costs too much."""
        return self._render_liquid(scopes) if self._parts is None else self._render_plain(self._parts, scopes)

    def _render_plain(self, parts: list[str | Reference], scopes: Scopes) -> str:
        out = []
        for part in parts:
            if isinstance(part, str):
                out.append(part)
                continue
            value = look_up(scopes.scope(part[0]), part)
            if value is _ABSENT:
                scopes.missing(".".join(part))
            else:
                out.append(self._encode(show(value)))
        text = "".join(out)
        if len(text) > LONGEST_OUTPUT:
            raise NodeError("template-too-long", f"a rendered text has at most {LONGEST_OUTPUT} bytes")
        return text

    def _render_liquid(self, scopes: Scopes) -> str:
        values = {root: scopes.scope(root) for root in self._roots}
        context = _Context(self._liquid, values, self._weight)
        buffer: StringIO = LimitedStringIO(limit=LONGEST_OUTPUT)
        try:
            self._liquid.render_with_context(context, buffer)
        except LiquidError as error:
            raise NodeError("template", f"{_first_line(error)} (in {self.source[:60]!r})") from error
        for name in context.missing:
            scopes.missing(name)
        return buffer.getvalue()


def url_template(source: str) -> Template:
    """A URL whose tags are percent-encoded. Raises ValueError when scheme, host or port are not literal."""
    if not re.match(r"https?://[A-Za-z0-9._~:\[\]-]+(?:[/?#]|$)", source):
        raise ValueError("write scheme, host and port out (https://host/…): merge tags go into path and query only")
    return Template(source, _URL)


def merge_tags_only(source: str) -> Template:
    """A text from outside (an API's `responses`) that may hold merge tags and nothing else. Raises ValueError."""
    return Template(source, _MERGE_TAGS_ONLY)


def look_up(value: Any, path: Reference) -> Any:
    """The value at `path`, whose root is `value`; `ABSENT` when it is not there."""
    for name in path[1:]:
        if not isinstance(value, dict) or name not in value:
            return _ABSENT
        value = value[name]
    return value


def _parsed(source: str, environment: _Environment) -> Any:
    try:
        parsed = environment.from_string(source)
        for name in parsed.analyze(include_partials=False).filters:
            if name not in environment.filters:
                raise ValueError(f"there is no filter {name!r}; there are: {', '.join(sorted(environment.filters))}")
    except LiquidError as error:
        raise ValueError(f"the template does not parse: {_first_line(error)}") from error
    except RecursionError as error:
        raise ValueError("the template is nested too deeply") from error
    return parsed


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0][:200]


def _plain_parts(nodes: list[Any]) -> list[str | Reference] | None:
    """Texts and plain paths, or None when there is more to it."""
    parts: list[str | Reference] = []
    for node in nodes:
        if isinstance(node, ContentNode):
            parts.append(node.text)
        elif (path := _plain_path(node)) is not None:
            parts.append(path)
        else:
            return None
    return parts


def _plain_path(node: Any) -> Reference | None:
    expression = getattr(node, "expression", None)
    if not isinstance(node, OutputNode) or not isinstance(expression, FilteredExpression) or expression.filters:
        return None
    left = expression.left
    if not isinstance(left, Path) or not all(isinstance(part, str) for part in left.path):
        return None
    path = tuple(str(part) for part in left.path)
    return path if path[0] in ROOTS and not _LIQUID_PROPERTIES & set(path) else None
