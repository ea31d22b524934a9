"""Texts of other builders as ours: their tags become merge tags, whatever else Liquid would take for markup stays a text."""

from __future__ import annotations

import re
from collections.abc import Callable

_OPENING = re.compile(r"\{(?=[{%#]|\Z)")
_SHORT = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def template(source: str, tag: re.Pattern[str], merge_tag: Callable[[re.Match[str]], str]) -> str:
    """The Liquid template that shows what `source` showed there."""
    made, end = [], 0
    for found in tag.finditer(source):
        made += [_literal(source[end : found.start()]), merge_tag(found)]
        end = found.end()
    return "".join([*made, _literal(source[end:])])


def _literal(text: str) -> str:
    """The end of a text counts as an opening: what follows it may begin with a brace."""
    return _OPENING.sub("{{ '{' }}", text)


def cel_text(text: str) -> str:
    """A literal of CEL."""
    return '"' + "".join(_SHORT.get(one, one if one.isprintable() else f"\\U{ord(one):08x}") for one in text) + '"'
