"""One OpenAPI document of several: what the gateway shows at /openapi.json."""

import json
from collections.abc import Mapping
from typing import Any

from contracts.routes import PREFIXES

Document = dict[str, Any]
SCHEMAS = "#/components/schemas/"
SERVICES = tuple(sorted(set(PREFIXES.values())))
INFO = {"title": "Switchhook", "version": "1"}


def service_of_document(path: str) -> str | None:
    """The service whose own document lies at this path, `/openapi/<service>.json`."""
    name = path.removeprefix("/openapi/").removesuffix(".json")
    return name if name in SERVICES and path == f"/openapi/{name}.json" else None


def merge(documents: Mapping[str, Document]) -> Document:
    """One document with the paths and schemas of all. Keys are the services.

    Schemas of one name that differ are told apart by their services' names.
    """
    clashing = clashes(documents)
    paths: Document = {}
    schemas: Document = {}
    version = "3.1.0"
    for service, document in documents.items():
        own = renamed(document, {name: f"{service}.{name}" for name in clashing})
        version = own.get("openapi", version)
        paths |= own.get("paths", {})
        schemas |= own.get("components", {}).get("schemas", {})
    return {"openapi": version, "info": INFO, "paths": paths, "components": {"schemas": schemas}}


def clashes(documents: Mapping[str, Document]) -> set[str]:
    """The names that stand for different schemas in different documents."""
    seen: Document = {}
    clashing: set[str] = set()
    for document in documents.values():
        for name, schema in document.get("components", {}).get("schemas", {}).items():
            if seen.setdefault(name, schema) != schema:
                clashing.add(name)
    return clashing


def renamed(document: Document, names: Mapping[str, str]) -> Document:
    """The document with schemas renamed, where they are defined and where they are referred to."""
    schemas = document.get("components", {}).get("schemas", {})
    components = {"schemas": {names.get(name, name): schema for name, schema in schemas.items()}}
    refs = {f"{SCHEMAS}{old}": f"{SCHEMAS}{new}" for old, new in names.items()}

    def pointed(node: Document) -> Document:
        ref = node.get("$ref")
        return node | {"$ref": refs[ref]} if ref in refs else node

    rewritten: Document = json.loads(json.dumps({**document, "components": components}), object_hook=pointed)
    return rewritten
