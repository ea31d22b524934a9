"""The fields of a JSON Schema as rows of a reference page, those of nested objects included."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

Schema = Mapping[str, Any]
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
}
SAME_FIELDS = "x-same-fields"
"""Of a field whose objects have the fields of the object that it is in."""
DURATION = "duration (ISO 8601: PT30S, P2D)"
Path = tuple[str, ...]


class Field(NamedTuple):
    """One field. `path`: its names from the outside in; `[]` stands for any item of a list, `*` for any name.

    `of`: at which place there has to be which `type`, for a field that only one of several kinds of objects has.
    """

    path: Path
    takes: str
    default: str
    meaning: str
    of: tuple[tuple[Path, str], ...] = ()

    @property
    def shown(self) -> str:
        """`parts[].text`, and of which type it is, where that matters."""
        types = ", ".join(f"`{type}`" for _, type in self.of)
        return f"`{'.'.join(self.path).replace('.[]', '[]').replace('*', '<name>')}`" + (f" ({types})" if types else "")


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def fields_of(schema: Schema, *, leave_out: Container[str] = ()) -> Iterator[Field]:
    """All fields, each object's right after it. `leave_out`: fields of the outermost object."""
    definitions = schema.get("$defs", {})
    whole = _resolved(schema, definitions)
    yield from _fields({**whole, "properties": {
        name: field for name, field in whole["properties"].items() if name not in leave_out
    }}, definitions, (), ())  # fmt: skip


def _fields(schema: Schema, definitions: Schema, at: Path, of: tuple[tuple[Path, str], ...]) -> Iterator[Field]:
    needed = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        path = (*at, name)
        default = "needed" if name in needed else default_in(field)
        yield Field(path, takes(field, definitions), default, field.get("description", ""), of)
        if not field.get(SAME_FIELDS):
            yield from _within(field, definitions, path, of)


def _within(field: Schema, definitions: Schema, at: Path, of: tuple[tuple[Path, str], ...]) -> Iterator[Field]:
    found = _resolved(field, definitions)
    branches = [_resolved(each, definitions) for each in _branches(found)]
    objects = [each for each in branches if each.get("properties")]
    for branch in objects:
        type = branch["properties"].get("type", {}).get("const") if len(objects) > 1 else None
        yield from _fields(branch, definitions, at, (*of, (at, type)) if type else of)
    for branch in branches:
        if branch.get("type") == "array":
            yield from _within(branch.get("items", {}), definitions, (*at, "[]"), of)
        if isinstance(named := branch.get("additionalProperties"), Mapping):
            yield from _within(named, definitions, (*at, "*"), of)


def _branches(schema: Schema) -> list[Schema]:
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [each for each in schema[word] if each.get("type") != "null"]
    return [schema]


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def takes(schema: Schema, definitions: Schema) -> str:
    """What a JSON Schema takes, in a few words."""
    found = _resolved(schema, definitions)
    branches = _branches(found)
    if len(branches) > 1:
        return " or ".join(dict.fromkeys(takes(each, definitions) for each in branches))
    found = _resolved(branches[0], definitions)
    if "const" in found:
        return f"`{found['const']}`"
    if "enum" in found:
        return " or ".join(f"`{value}`" for value in found["enum"])
    if found.get("type") == "array":
        return f"list of {takes(found.get('items', {}), definitions)}{_bounds(found, 'Items')}"
    if found.get("format") == "duration":
        return DURATION
    type = str(found.get("type"))
    return WORDS.get(type, "any value" if type == "None" else type) + _bounds(found, "Length")


def _bounds(schema: Schema, what: str) -> str:
    """The limits that a schema states: (1 to 200), (at most 20)."""
    least = schema.get(f"min{what}", schema.get("minimum"))
    most = schema.get(f"max{what}", schema.get("maximum"))
    if most is not None:
        return f" ({least} to {most})" if least else f" (at most {most})"
    return f" (at least {least})" if least else ""


def default_in(schema: Schema) -> str:
    """The default of a field, a dash where it is nothing."""
    default = schema.get("default")
    return "—" if default in (None, {}, [], "") else f"`{json.dumps(default)}`"


def value_at(field: Field, document: Any) -> Any:
    """The first value that a field has in a document; None where it has none."""
    return next((value for value in _values(field.path, (), dict(field.of), document) if value is not None), None)


def _values(left: Path, gone: Path, of: Mapping[Path, str], node: Any) -> Iterator[Any]:
    if gone in of and not (isinstance(node, dict) and node.get("type") == of[gone]):
        return
    if not left:
        yield node
    elif left[0] == "[]" and isinstance(node, list):
        for each in node:
            yield from _values(left[1:], (*gone, "[]"), of, each)
    elif left[0] == "*" and isinstance(node, dict):
        for each in node.values():
            yield from _values(left[1:], (*gone, "*"), of, each)
    elif isinstance(node, dict) and left[0] in node:
        yield from _values(left[1:], (*gone, left[0]), of, node[left[0]])
