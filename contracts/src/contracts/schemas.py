"""JSON Schemas of every topic's records, and what breaks a reader between two versions of one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic import TypeAdapter

from contracts.described import Described
from contracts.topics import TOPICS

Schema = dict[str, Any]


def schema_name(topic: str) -> str:
    """`switchhook.inbound.v1` -> `inbound.v1`: the file's stem."""
    return topic.removeprefix("switchhook.")


def topic_schemas() -> dict[str, Schema]:
    """File stem -> JSON Schema (2020-12) of the record as it is written. DLQs hold foreign bytes and have none."""
    return {
        schema_name(topic.name): {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": topic.title,
            **TypeAdapter(topic.record).json_schema(mode="serialization", schema_generator=Described),
        }
        for topic in TOPICS
        if topic.record is not Any
    }


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What would make a reader of `old` fail on records of `new`, or the other way round; empty: compatible.

    Allowed: a new optional property, a new definition, a new kind in a union, an enum that became any text. Refused: a
    property, definition or kind that is gone, another type, an enum value that is gone or that the text's pattern does
    not admit, and a property that became required.
    """
    return list(_compare(old, new, "#"))


def _compare(old: Any, new: Any, at: str) -> Iterator[str]:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return
    if _kind(old) != _kind(new):
        yield f"{at}: was {_kind(old)}, is {_kind(new)}"
        return
    for section in ("properties", "$defs"):
        for name, before in old.get(section, {}).items():
            if name not in new.get(section, {}):
                yield f"{at}/{section}/{name}: is gone"
            else:
                yield from _compare(before, new[section][name], f"{at}/{section}/{name}")
    for name in set(new.get("required", ())) - set(old.get("required", ())):
        if name in old.get("properties", {}):
            yield f"{at}/required: {name} became required"
    for value in old.get("enum", ()):
        if not _admits(new, value):
            yield f"{at}/enum: {value!r} is gone"
    yield from _compare_unions(old, new, at)
    yield from _compare(old.get("items"), new.get("items"), f"{at}/items")


def _admits(schema: Schema, value: Any) -> bool:
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", (schema.get("const"),))
    return re.search(schema.get("pattern", ""), str(value)) is not None


def _compare_unions(old: Schema, new: Schema, at: str) -> Iterator[str]:
    for word in ("anyOf", "oneOf"):
        have = {_kind(branch) for branch in new.get(word, ())}
        for branch in old.get(word, ()):
            if _kind(branch) not in have:
                yield f"{at}/{word}: {_kind(branch)} is gone"


def _kind(schema: Schema) -> str:
    """A short name of what the schema admits at its top."""
    if "$ref" in schema:
        return str(schema["$ref"])
    if "const" in schema:
        return f"const {schema['const']!r}"
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return word
    return str(schema.get("type", "anything"))
