"""Merge tags: Liquid, parsed once, without partials, includes or a clock; what a rendering does is counted.

A template of texts and plain paths (`{{ memory.favourite-thing }}`), which most are, renders without Liquid's machinery
by the same rules; everything else goes through it.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.exceptions import LiquidError
from liquid.token import TOKEN_CONTENT, TOKEN_EXPRESSION, TOKEN_OUTPUT

from contracts.web_url import climbs
from flowlang.expressions.scopes import ROOTS, Scopes
from flowlang.liquid.lexing import Cut
from flowlang.liquid.nodes import render
from flowlang.liquid.reading import TAGS, Reader, first_line
from flowlang.liquid.rendering import LONGEST_OUTPUT, Failure, show
from flowlang.problems import NodeError
from flowlang.work import CHARACTERS, TooCostly

LONGEST_SOURCE = 16_000
MOST_TAGS = 200
UNITS_A_CHARACTER = 12
"""Of work (flowlang.work) to parse it, where merge tags stand closest."""
CHARACTERS_A_UNIT = 3
"""Of a plain one."""

_LIQUID_PROPERTIES = frozenset(("size", "first", "last"))
_ABSENT: Any = object()
_HAS_MARKUP = re.compile(r"\{\{|\{%")
_PATH = re.compile(r"""[a-z]+(?:\.[A-Za-z_]\w*(?:-\w+)*|\["[^"\\\]]*"\]|\['[^'\\\]]*'\])+""", re.ASCII)
_STEP = re.compile(r"""\.([\w-]+)|\[["']([^"']*)["']\]""", re.ASCII)
_NO_NAMES = frozenset(
    ("and", "or", "not", "contains", "in", "if", "else", "true", "false", "nil", "null", "empty", "blank")
)

Reference = tuple[str, ...]
"""A path that a template or expression reads: ("memory", "seats")."""


def _percent_encoded(text: str) -> str:
    return quote(text, safe="")


_TEXT = Reader(None, TAGS)
_URL = Reader(_percent_encoded, TAGS)
_MERGE_TAGS_ONLY = Reader(None, ())


def is_literal(source: str) -> bool:
    """Whether a template has no merge tags: it shows itself."""
    return _HAS_MARKUP.search(source) is None


class Template:
    """A text with merge tags. `reads` are the paths it reads, for the checker."""

    __slots__ = ("_nodes", "_parts", "_reader", "_roots", "is_literal", "reads", "source")

    def __init__(self, source: str, reader: Reader = _TEXT, *, later: bool = False) -> None:
        """`later`: it is parsed when it is first rendered, and fails then if it does not parse.

        Raises ValueError, with a sentence, when it does not parse or is too long.
        """
        self.source = source
        self.reads: tuple[Reference, ...] = ()
        self._reader = reader
        self._parts: list[str | Reference] | None = [source] if source else []
        self._roots: tuple[str, ...] = ()
        self._nodes: list[Any] | None = None
        self.is_literal = is_literal(source)
        """Without merge tags: the source is the text."""
        if not self.is_literal and later:
            self._parts = None
        elif not self.is_literal:
            self._parse()

    def _parse(self) -> None:
        if len(self.source) > LONGEST_SOURCE:
            raise ValueError(f"a template has at most {LONGEST_SOURCE} characters")
        if self.source.count("{%") + self.source.count("{{") >= MOST_TAGS:
            raise ValueError(f"a template has at most {MOST_TAGS} merge tags")
        tree, analysis = self._reader.read(self.source)
        self.reads = tuple(tuple(map(str, one.segments)) for found in analysis.globals.values() for one in found)
        self._roots = tuple(root for root in analysis.globals if root in ROOTS)
        self._nodes, self._parts = tree, None if self._reader.rendering.is_json else _plain_parts(tree)

    @property
    def nodes(self) -> list[Any]:
        """The tree; empty without merge tags."""
        return self._nodes or []

    def render(self, scopes: Scopes) -> str:
        """The text. What is missing renders empty and is noted. Raises NodeError when it fails or costs too much."""
        return self._render_liquid(scopes) if self._parts is None else self._render_plain(self._parts, scopes)

    def _render_plain(self, parts: list[str | Reference], scopes: Scopes) -> str:
        encode = self._reader.encode
        texts: list[str] = []
        try:
            for part in parts:
                if isinstance(part, str):
                    texts.append(part)
                elif (value := look_up(scopes.scope(part[0]), part)) is not _ABSENT:
                    texts.append(value if encode is None and type(value) is str else self._shown(value))
                else:
                    scopes.missing(".".join(part))
            text = "".join(texts)
            scopes.work.charge_turn(1 + len(text) // CHARACTERS)
        except (Failure, TooCostly, UnicodeError) as error:
            raise self._failed(error) from error
        if len(text) > LONGEST_OUTPUT:
            raise NodeError("template-too-long", f"a rendered text has at most {LONGEST_OUTPUT} bytes")
        return text

    def _shown(self, value: Any) -> str:
        if type(value) is not str:
            value = show(value)
            if len(value) > LONGEST_OUTPUT:
                raise Failure(f"a rendered text has at most {LONGEST_OUTPUT} bytes")
        encode = self._reader.encode
        return encode(value) if encode else value

    def _render_liquid(self, scopes: Scopes) -> str:
        if self._nodes is None and (parts := self._plain_by_form(scopes)) is not None:
            return self._render_plain(parts, scopes)
        scopes.work.begin()
        if self._nodes is None:
            self._parse_now(scopes)
        values = {root: scopes.scope(root) for root in self._roots}
        run = self._reader.rendering(values, scopes.work, self._reader.encode, self._reader.filters)
        try:
            render(self._nodes or (), run)
            text = run.text()
        except Exception as error:  # Whatever a user's program ends with is its own failure.
            raise self._failed(error) from error
        for name in run.missing:
            scopes.missing(name)
        return text

    def _plain_by_form(self, scopes: Scopes) -> list[str | Reference] | None:
        """Its parts, where it is plain; else it is not parsed before the gate, behind which alone it may run."""
        if self._reader.rendering.is_json:
            return None
        scopes.work.make(1 + len(self.source) // CHARACTERS_A_UNIT)
        self._parts = parts_by_form(self.source)
        return self._parts

    def _parse_now(self, scopes: Scopes) -> None:
        scopes.work.make(1 + len(self.source) * UNITS_A_CHARACTER)
        try:
            self._parse()
        except ValueError as error:
            raise NodeError("template", f"{error} (in {self.source[:60]!r})") from error

    def _failed(self, error: Exception) -> NodeError:
        says = first_line(error) if isinstance(error, (Failure, TooCostly)) else type(error).__name__
        return NodeError("template", f"{says} (in {self.source[:60]!r})")


def url_template(source: str, *, later: bool = False) -> Template:
    """A URL whose tags are percent-encoded. Raises ValueError when scheme, host or port are not literal."""
    if not re.match(r"https?://[A-Za-z0-9._~:\[\]-]+(?:[/?#]|$)", source):
        raise ValueError("write scheme, host and port out (https://host/…): merge tags go into path and query only")
    return _UrlTemplate(source, _URL, later=later)


class _UrlTemplate(Template):
    """A URL: what its tags show stays in its place."""

    __slots__ = ()

    def render(self, scopes: Scopes) -> str:
        """The URL. Raises NodeError as a text does, and when its path would lead to another one."""
        url = super().render(scopes)
        if climbs(url):
            raise NodeError("url", f"the path has .. in it (in {self.source[:60]!r})")
        return url


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


def parts_by_form(source: str) -> list[str | Reference] | None:
    """What `_plain_parts` gives of a template whose merge tags are the simplest there are, without parsing it."""
    if len(source) > LONGEST_SOURCE or source.count("{%") + source.count("{{") >= MOST_TAGS:
        return None
    parts: list[str | Reference] = []
    try:
        for token in Cut(source).tokens():
            if token.kind == TOKEN_CONTENT:
                parts.append(token.value)
            elif token.kind == TOKEN_EXPRESSION and (path := _path_by_form(token.value)) is not None:
                parts.append(path)
            elif token.kind != TOKEN_OUTPUT:
                return None
    except LiquidError:
        return None
    return parts


def _path_by_form(text: str) -> Reference | None:
    if _PATH.fullmatch(text) is None:
        return None
    root = re.split(r"[.\[]", text, maxsplit=1)[0]
    path = (root, *(name or key for name, key in _STEP.findall(text)))
    return path if root in ROOTS and not (_LIQUID_PROPERTIES | _NO_NAMES) & set(path) else None


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
