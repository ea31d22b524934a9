"""The texts of Typebot's bubbles: rich text without its formats."""

from __future__ import annotations

from typing import Any

from flowtools.importing.exports import at, text

DEEPEST = 12
_LINES = frozenset(("p", "li", "lic", "ul", "ol", "h1", "h2", "h3", "blockquote"))


def plain(block: dict[str, Any]) -> str:
    """The text of a bubble, one line per paragraph."""
    rich = at(block, "content", "richText")
    if not isinstance(rich, list):
        return text(block, "content", "plainText")
    return "\n".join(_line(one, DEEPEST) for one in rich).strip("\n")


def _line(node: Any, depth: int) -> str:
    """The text of a node; below DEEPEST there is none."""
    if not isinstance(node, dict) or depth == 0:
        return ""
    children = node.get("children")
    if not isinstance(children, list):
        return text(node, "text")
    below = [(_line(one, depth - 1), at(one, "type") in _LINES) for one in children]
    shown = "".join(("\n" if apart and index else "") + one for index, (one, apart) in enumerate(below))
    url = text(node, "url")
    return f"{shown} ({url})" if url and url not in shown else shown
