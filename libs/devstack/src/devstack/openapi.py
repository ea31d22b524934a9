"""One OpenAPI document of several: `./switchhook schemas` writes it, the registry shows it at /openapi.json."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from contracts.described import Described
from contracts.event_types import EVENTS, EventKind
from contracts.routes import PREFIXES
from devstack.paths import ROOT

Document = dict[str, Any]
FOLDER = ROOT / "contracts" / "schemas"
FILE = ROOT / "services" / "registry" / "src" / "registry" / "web" / "openapi.json"
SCHEMAS = "#/components/schemas/"
SERVICES = tuple(sorted(set(PREFIXES.values())))
WEBHOOK_HEADERS = {
    "webhook-id": "The same on every attempt and replay: a repeat is known by it",
    "webhook-timestamp": "Seconds since 1970 of this attempt",
    "webhook-signature": "`v1,` and a base64 HMAC-SHA256 for each valid secret, separated by spaces",
}
INFO = {"title": "Switchhook", "version": "1"}


def write() -> None:
    """Bring the committed documents up to date: each service's own, which it prints, and the one of all."""
    printed: dict[str, Document] = {service: printed_by(service) for service in SERVICES}
    for service, document in printed.items():
        file_of(service).write_text(as_text(document))
    FILE.write_text(as_text(merge(printed)))


def file_of(service: str) -> Path:
    """Where a service's own document is committed."""
    return FOLDER / f"openapi-{service}.json"


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
    return {"openapi": "3.1.0", "info": INFO, "paths": paths, "webhooks": webhooks(), "components": components}


def webhooks() -> Document:
    """What endpoints get, by the event's type: the format `switchhook`, after Standard Webhooks 1.0."""
    return {each.name: {"post": _webhook(each)} for each in EVENTS.values() if each.offered}


def _webhook(kind: EventKind) -> Document:
    data = kind.data.model_json_schema(mode="serialization", schema_generator=Described)
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": kind.name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": _inlined(data),
        },
    }
    example = {"type": kind.name, "timestamp": "2026-11-21T00:01:00.000Z", "data": dict(kind.sample)}
    content = {"application/json": {"schema": schema, "example": example}}
    return {
        "summary": kind.what,
        "operationId": "webhook_" + kind.name.replace(".", "_"),
        "security": [],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": said, "schema": {"type": "string"}}
            for name, said in WEBHOOK_HEADERS.items()
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "2XX": {"description": "Received"},
            "410": {"description": "Gone: the endpoint is disabled"},
            "default": {"description": "It is sent again, by the endpoint's schedule"},
        },
    }


def _inlined(schema: Document) -> Document:
    """The schema without definitions, which stand in its own document and nowhere else."""
    definitions = schema.pop("$defs", {})

    def pointed(node: Any) -> Any:
        if isinstance(node, list):
            return [pointed(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return pointed(definitions[node["$ref"].rpartition("/")[2]])
        return {name: pointed(each) for name, each in node.items()}

    inlined: Document = pointed(schema)
    return inlined


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
