"""One OpenAPI document of several: `./switchhook schemas` writes it, the registry shows it at /openapi.json."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from contracts.routes import PREFIXES
from devstack.paths import ROOT

Document = dict[str, Any]
FILE = ROOT / "services" / "registry" / "src" / "registry" / "web" / "openapi.json"
SCHEMAS = "#/components/schemas/"
SERVICES = tuple(sorted(set(PREFIXES.values())))
INFO = {"title": "Switchhook", "version": "1"}


def service_of_document(path: str) -> str | None:
    """The service whose own document lies at this path, `/openapi/<service>.json`."""
    name = path.removeprefix("/openapi/").removesuffix(".json")
    return name if name in SERVICES and path == f"/openapi/{name}.json" else None


def write() -> None:
    """Bring the committed document up to date. Each service prints its own."""
    FILE.write_text(as_text(merge({service: printed_by(service) for service in SERVICES})))


def as_text(document: Document) -> str:
    """The document as it is committed."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def printed_by(service: str) -> Document:
    """The document of a service of this checkout."""
    command = [sys.executable, "-m", f"{service.replace('-', '_')}.web.openapi"]
    document: Document = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return document


def merge(documents: Mapping[str, Document]) -> Document:
    """One document with the paths and schemas of all. Keys are the services.

    Schemas of one name that differ are told apart by their services' names.
    """
    clashing = clashes(documents)
    paths: Document = {}
    schemas: Document = {}
    security: Document = {}
    for service, document in documents.items():
        own = renamed(document, {name: f"{service}.{name}" for name in clashing})
        paths |= own["paths"]
        schemas |= own["components"]["schemas"]
        security |= own["components"].get("securitySchemes", {})
    components = {"schemas": schemas, "securitySchemes": security}
    return {"openapi": "3.1.0", "info": INFO, "paths": paths, "components": components}


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
    renamed_schemas = {names.get(name, name): schema for name, schema in schemas.items()}
    components = document.get("components", {}) | {"schemas": renamed_schemas}
    refs = {f"{SCHEMAS}{old}": f"{SCHEMAS}{new}" for old, new in names.items()}

    def pointed(node: Document) -> Document:
        ref = node.get("$ref")
        return node | {"$ref": refs[ref]} if ref in refs else node

    rewritten: Document = json.loads(json.dumps({**document, "components": components}), object_hook=pointed)
    return rewritten
