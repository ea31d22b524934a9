"""The JSON Schema of flow documents and of each node type, generated from their models."""

from __future__ import annotations

from typing import Any

from contracts.described import Described
from flowlang.language.document import Document
from flowlang.nodes.registry import NODE_TYPES
from flowlang.triggers.registry import TRIGGER_KINDS


def document_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `flow/1`."""
    schema = Document.model_json_schema(by_alias=True, schema_generator=Described)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def trigger_kinds() -> list[dict[str, Any]]:
    """Each trigger kind: `{type, description, schema}`."""
    return [
        {
            "type": name,
            "description": (model.__doc__ or "").strip(),
            "schema": model.model_json_schema(by_alias=True, schema_generator=Described),
        }
        for name, model in TRIGGER_KINDS.items()
    ]


def node_types() -> list[dict[str, Any]]:
    """Each node type as editors show it: `{type, description, ports, waits, schema}`."""
    return [
        {
            "type": name,
            "description": (model.__doc__ or "").strip(),
            "ports": list(model.PORTS),
            "waits": model.WAITS,
            "schema": model.model_json_schema(by_alias=True, schema_generator=Described),
        }
        for name, model in NODE_TYPES.items()
    ]
