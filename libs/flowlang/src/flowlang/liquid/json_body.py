"""A run of a template that is JSON: what a merge tag shows cannot leave its place.

The template's own texts tell where a merge tag stands. Within a string, what it shows are characters of that string;
elsewhere it is a JSON value. So quotes and commas in data are data, and whatever they are, the body has the keys that the
template has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

import orjson
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.output import OutputNode
from liquid.builtin.tags.comment_tag import CommentNode
from liquid.builtin.tags.inline_comment_tag import InlineCommentNode

from flowlang.liquid.json_text import OwnText, characters_in_json, own_in_json, value_in_json
from flowlang.liquid.rendering import Failure, Rendering, show

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_BEGINS = re.compile(r'\s*(?:\{\s*(?:["}]|\Z)|\[\s*(?:["\[\]{]|(?:-?[0-9.]+|true|false|null)\s*,|\Z)|")')


class JsonRendering(Rendering):
    """Knows from the template's own texts whether the next merge tag stands within a string."""

    __slots__ = ("_inside",)

    is_json: ClassVar = True

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._inside = False

    def write(self, text: str) -> None:
        """A text of the template's own. Raises Failure."""
        super().write(text)
        if not self.muted:
            self._inside = inside_after(text, self._inside)

    def put_missing(self, name: str) -> None:
        """What is not there: null. A name that only the template could have given, and has not yet, shows nothing."""
        if not name or name in self.roots or name in self.assigned or any(name in names for names in self.loops):
            self.put(None)

    def put(self, value: Any) -> None:
        """A value, as it fits where it stands. Raises Failure."""
        if type(value) is OwnText:
            self.write(value if self._inside else own_in_json(value))
        else:
            super().write(characters_in_json(show(value)) if self._inside else value_in_json(value))

    def text(self) -> str:
        """The body. Raises Failure when it is no JSON: then the template's own texts do not fit together."""
        made = super().text()
        refuse_no_json(made)
        return made


def inside_after(text: str, inside: bool) -> bool:
    """Whether a string is open after this text. Raises Failure for a `\\` at its end: it would escape what follows."""
    if "\\" in text:
        text = _ESCAPED.sub("", text)
        if text.endswith("\\"):
            raise Failure("a backslash stands right before a merge tag: write it twice")
    return inside ^ (text.count('"') % 2 == 1)


def refuse_no_json(text: str) -> None:
    """Raises Failure, with the place, for what is no JSON."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"what it makes is no JSON ({error.msg} at character {error.pos})") from error


def begins_like_json(nodes: Iterable[Any], source: str) -> bool:
    """Whether the first text of the template's own is how an object, a list or a string begins.

    `source` stands for the nodes of a template without markup, which has none.
    """
    texts = _own_texts(nodes) if nodes else (source,)
    first = next((text for text in texts if text.strip()), "")
    return _BEGINS.match(first) is not None


def sample(nodes: Iterable[Any], value: str) -> str | None:
    """What it makes with `value` for each value and nothing in strings; None where blocks or its own texts decide.

    Raises Failure.
    """
    parts: list[str] = []
    inside = False
    for node in nodes:
        if isinstance(node, ContentNode):
            inside = inside_after(node.text, inside)
            parts.append(node.text)
        elif isinstance(node, OutputNode) and _shows_data(node.expression):
            parts.append("" if inside else value)
        elif not isinstance(node, (CommentNode, InlineCommentNode)):
            return None
    return "".join(parts)


def _shows_data(expression: Any) -> bool:
    return isinstance(expression, FilteredExpression) and isinstance(expression.left, Path) and not _has_own(expression)


def _has_own(expression: FilteredExpression) -> bool:
    """Whether a filter may give a text of the template's own: `default`."""
    return any(filter.name == "default" for filter in expression.filters or ())


def _own_texts(nodes: Iterable[Any]) -> Iterable[str]:
    for node in nodes:
        if isinstance(node, ContentNode):
            yield node.text
        else:
            yield from _own_texts(node.children(None))
