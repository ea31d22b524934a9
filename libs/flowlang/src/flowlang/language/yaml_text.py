"""YAML as documents use it: the 1.2 core schema, no aliases, no tags, no duplicate keys.

The parser only composes nodes; scalars become values here. So `on`, `yes` and `2026-11-21` stay text, and nothing can
construct anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from flowlang.problems import pointer

LONGEST = 256 * 1024
DEEPEST = 64

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OCTAL = re.compile(r"0o[0-7]{1,20}")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


def parse(text: str) -> Any:
    """The value that a YAML text stands for. Raises ValueError with the line and what to do."""
    return _value(_composed(text), DEEPEST)


def lines(text: str) -> dict[str, int]:
    """JSON pointer -> line, from 1, of all values of a YAML text, of those in an object where their key stands. Raises as
    `parse` does."""
    found = {"": 1}
    waiting: list[tuple[str, Node | None]] = [("", _composed(text))]
    while waiting:
        place, node = waiting.pop()
        for key, mark, inner in _within(node):
            below = place + pointer(key)
            found[below] = mark.start_mark.line + 1
            waiting.append((below, inner))
    return found


def _within(node: Node | None) -> Iterator[tuple[str | int, Node, Node]]:
    """(key, where it stands, value)."""
    if isinstance(node, MappingNode):
        yield from ((str(key.value), key, value) for key, value in node.value)
    elif isinstance(node, SequenceNode):
        yield from ((index, item, item) for index, item in enumerate(node.value))


def _composed(text: str) -> Node | None:
    if len(text) > LONGEST:
        raise ValueError(f"the document is longer than {LONGEST} characters")
    try:
        _refuse_extras(text)
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except YAMLError as error:
        raise ValueError(_sentence(error)) from error
    except RecursionError as error:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from error
    return node


def _refuse_extras(text: str) -> None:
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
            raise ValueError(f"line {event.start_mark.line + 1}: anchors and aliases are not allowed, write it out")
        if getattr(event, "tag", None):
            raise ValueError(f"line {event.start_mark.line + 1}: tags are not allowed, write the value alone")
        depth += {"MappingStartEvent": 1, "SequenceStartEvent": 1, "MappingEndEvent": -1, "SequenceEndEvent": -1}.get(
            type(event).__name__, 0
        )
        if depth > DEEPEST:
            raise ValueError(f"line {event.start_mark.line + 1}: nested more than {DEEPEST} levels deep")


def _sentence(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not YAML: {getattr(error, 'problem', None) or error}"


def _value(node: Node | None, depth: int) -> Any:
    if node is None:
        return None
    if isinstance(node, ScalarNode):
        return _scalar(node)
    if isinstance(node, SequenceNode):
        return [_value(item, depth - 1) for item in node.value]
    if not isinstance(node, MappingNode):
        raise ValueError("not a value")
    return _mapping(node, depth)


def _mapping(node: MappingNode, depth: int) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, ScalarNode):
            raise ValueError(f"line {line}: a key is a text")
        key = key_node.value
        if key in mapping:
            raise ValueError(f"line {line}: the key {key!r} is there twice")
        mapping[key] = _value(value_node, depth - 1)
    return mapping


def _scalar(node: ScalarNode) -> Any:
    text: str = node.value
    if node.style:
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    return _number(text)


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    return float(text) if _FLOAT.fullmatch(text) else text
