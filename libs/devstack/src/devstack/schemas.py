"""Writes contracts/schemas (JSON Schemas, AsyncAPI), docs/reference and the OpenAPI document. `switchhook schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from contracts.schemas import topic_schemas
from devstack import deploy_files, openapi, reference_docs
from servicekit.kafka.asyncapi import asyncapi_document

FOLDER = Path(__file__).parents[4] / "contracts" / "schemas"
EXAMPLES = FOLDER.parent / "examples"


def generated() -> dict[str, str]:
    """File name -> text, as it should be committed."""
    documents = {f"{name}.schema.json": schema for name, schema in topic_schemas().items()}
    documents["asyncapi.json"] = asyncapi_document(examples())
    return {name: json.dumps(document, indent=2, sort_keys=True) + "\n" for name, document in documents.items()}


def examples() -> dict[str, dict[str, Any]]:
    """Topic -> kind of its record -> a value: the files of contracts/examples, the first one of a kind."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(EXAMPLES.rglob("*.json"), reverse=True):
        value = json.loads(file.read_text())
        kind = "entity" if file.parent.name == "registry" else value.get("kind", value.get("type"))
        found.setdefault(f"switchhook.{file.parent.name}.v1", {})[kind] = value
    return found


def write() -> None:
    """Bring the committed files up to date."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in generated().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    write()
    reference_docs.write()
    openapi.write()
    deploy_files.write()
