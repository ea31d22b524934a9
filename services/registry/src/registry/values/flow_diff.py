"""What differs between two versions of a flow. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowlang.problems import pointer

Document = Mapping[str, Any]
PARTS = ("nodes", "triggers", "variables")
"""What a flow has of which each has a name."""


def difference(before: Document, after: Document) -> dict[str, Any]:
    """{nodes, triggers, variables: {added[], removed[], changed[]} of names, changes: [{pointer, kind, before?, after?}]}.

    Pointers of what was removed are into `before`, all others into `after`.
    """
    found: dict[str, Any] = {part: _names(_named(before, part), _named(after, part)) for part in PARTS}
    changes = [change for part in PARTS for change in _of_part(before, after, part)]
    changes += _of_objects(_others(before), _others(after), ())
    return found | {"changes": sorted(changes, key=lambda change: str(change["pointer"]))}


def _named(document: Document, part: str) -> dict[str, tuple[str | int, Any]]:
    """Name -> (its key or index, what it is)."""
    held = document.get(part) or {}
    if isinstance(held, list):
        return {str(one["id"]): (index, one) for index, one in enumerate(held)}
    return {name: (name, one) for name, one in held.items()}


def _others(document: Document) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in PARTS}


Named = dict[str, tuple[str | int, Any]]


def _names(before: Named, after: Named) -> dict[str, list[str]]:
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name, (_, one) in after.items() if name in before and not _same(before[name][1], one)],
    }


def _of_part(before: Document, after: Document, part: str) -> Iterator[dict[str, Any]]:
    old, new = _named(before, part), _named(after, part)
    for name, (key, one) in old.items():
        if name not in new:
            yield _change("removed", (part, key), one, None)
    for name, (key, one) in new.items():
        if name not in old:
            yield _change("added", (part, key), None, one)
        else:
            yield from _of_values(old[name][1], one, (part, key))
    stayed = [name for name in old if name in new]
    if part == "triggers" and stayed != (now := [name for name in new if name in old]):
        yield _change("moved", (part,), stayed, now)


def _of_values(before: Any, after: Any, place: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_objects(before, after, place)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _of_values(one, other, (*place, index))
    elif not _same(before, after):
        yield _change("changed", place, before, after)


def _of_objects(before: Document, after: Document, place: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
    for name, value in before.items():
        if name not in after:
            yield _change("removed", (*place, name), value, None)
        else:
            yield from _of_values(value, after[name], (*place, name))
    for name, value in after.items():
        if name not in before:
            yield _change("added", (*place, name), None, value)


def _change(kind: str, place: tuple[str | int, ...], before: Any, after: Any) -> dict[str, Any]:
    return {"pointer": "#" + pointer(*place), "kind": kind, "before": before, "after": after}


def _same(one: Any, other: Any) -> bool:
    """As JSON: true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)
