"""Writes docs/reference from the code: topics, HTTP routes, metrics, settings, flows. `switchhook schemas`."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from contracts.event_types import EVENTS
from contracts.events import EventData
from contracts.routes import PREFIXES, PRIVATE, ROUTES, Proof
from contracts.topics import TOPICS
from devstack.paths import ROOT
from flowlang.language.schema import document_schema, node_types
from servicekit.observability.metrics import MEANINGS

FOLDER = ROOT / "docs" / "reference"
SETTINGS = ("libs/servicekit/src/servicekit", *(f"services/{each}" for each in (
    "ingress/src/ingress", "flow-engine/src/flow_engine", "dispatcher/src/dispatcher", "registry/src/registry"
)))  # fmt: skip
NOTE = "\nMade from the code by `./switchhook schemas`; a test compares.\n"


def pages() -> dict[str, str]:
    """File name -> text, as it should be committed."""
    return {
        "topics.md": topics(),
        "http.md": http(),
        "events.md": events(),
        "metrics.md": metrics(),
        "settings.md": settings(),
        "flow-nodes.md": flow_nodes(),
        "flow.schema.json": json.dumps(document_schema(), indent=1) + "\n",
    }


def write() -> None:
    """Bring the committed pages up to date."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def topics() -> str:
    """The page about topics."""
    rows = (
        (
            f"`{topic.name}`",
            topic.title,
            topic.key,
            str(topic.partitions),
            "for ever, compacted" if topic.retention_ms < 0 else f"{topic.retention_ms // 3_600_000} h",
            ", ".join(topic.producers),
            ", ".join(topic.consumers),
        )
        for topic in TOPICS
    )
    head = ("topic", "what", "key", "partitions", "kept", "written by", "read by")
    return f"# Topics\n{NOTE}\n{table(head, rows)}"


def http() -> str:
    """The page about HTTP routes."""
    rows = (
        (f"`{each.method}`", f"`{each.path}`", each.what, each.service, needed_for(each.scope, each.proof))
        for each in ROUTES
    )
    said = (
        "\nBodies and answers are in the OpenAPI documents: `/docs` to read and try, `/openapi.json` for all of them,\n"
        "`/openapi/<service>.json` for one service. Every refusal is a [problem](problems.md). What is under `/v1/dlq` and `/v1/held`\n"
        "is answered on the service's own port only ([how to use it](../how-to/dead-letters.md)).\n"
    )
    routes = table(("method", "path", "what", "service", "needs"), rows)
    return f"# HTTP routes\n{NOTE}{said}\n{routes}\n## Behind a reverse proxy\n\n{by_prefix()}"


def by_prefix() -> str:
    """Which paths go to which service."""
    paths: dict[str, list[str]] = {}
    for prefix, service in PREFIXES.items():
        if prefix not in PRIVATE:
            paths.setdefault(service, []).append(f"`/v1/{prefix}`")
    paths["registry"] += ["`/docs`", "`/openapi.json`"]
    return table(("service", "the path is, or begins with"), ((each, ", ".join(of)) for each, of in paths.items()))


def events() -> str:
    """The page about event types."""
    said = (
        "\nWhat endpoints subscribe to and `switchhook.events.v1` holds. A body is `{type, timestamp, data}`; `data` has, where they\n"
        f"are known, {', '.join(f'`{name}`' for name in EventData.model_fields)}, and what is shown here. An endpoint chooses types,\n"
        "groups such as `tag.*`, or `*`.\n"
    )
    rows = (
        (f"`{each.name}`", each.what, each.key, f"`{json.dumps(each.sample)}`" if each.sample else "—")
        for each in EVENTS.values()
        if each.offered
    )
    return f"# Events\n{NOTE}{said}\n{table(('type', 'what happened', 'in order for one', 'more in `data`'), rows)}"


def needed_for(scope: str | None, proof: Proof) -> str:
    """What a caller must have, as the page says it."""
    said: dict[Proof, str] = {
        "token": f"`{scope}`",
        "operator": "the operator's token",
        "trigger": f"the trigger's token (`{scope}`), or its secret URL",
        "session": "the session's token",
        "link": "the URL's signature",
        "platform": "the channel's secrets",
        "none": "—",
    }
    return said[proof]


def metrics() -> str:
    """The page about metrics."""
    rows = ((f"`{name}`", each.text, ", ".join(each.labels) or "—") for name, each in MEANINGS.items())
    return f"# Metrics\n{NOTE}\n{table(('name', 'meaning', 'labels'), rows)}"


def settings() -> str:
    """The page about settings: of every service, then of each."""
    parts = [f"# Settings\n{NOTE}\nEnvironment variables. Lists are separated by commas.\n"]
    for folder in SETTINGS:
        rows = list(settings_in(ROOT / folder / "settings.py"))
        title = "Every service" if "servicekit" in folder else folder.split("/")[1]
        if rows:
            parts.append(f"\n## {title}\n\n{table(('variable', 'default', 'meaning'), rows)}")
    return "".join(parts)


def settings_in(file: Path) -> Iterator[tuple[str, str, str]]:
    """(variable, default, meaning) of each field of the settings class in a file: its attribute docstrings."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings"):
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield f"`SWITCHHOOK_{field.target.id.upper()}`", default_of(field), said_of(after)


def default_of(field: ast.AnnAssign) -> str:
    """A settings field's default as it stands in the code, a dash without one."""
    value = field.value
    if isinstance(value, ast.Call):
        value = next((each.value for each in value.keywords if each.arg == "default"), None)
    if value is None:
        return "—"
    return f"`{ast.unparse(value)}`"


def said_of(node: ast.stmt | None) -> str:
    """The words of an attribute docstring; empty when the statement is none."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
        return " ".join(node.value.value.split())
    return ""


def flow_nodes() -> str:
    """The page about flow nodes: ports and fields of each."""
    parts = [f"# Flow nodes\n{NOTE}"]
    for node in node_types():
        ports = ", ".join(f"`{port}`" for port in node["ports"]) or "none"
        waits = " It waits." if node["waits"] else ""
        schema = node["schema"]
        needed = set(schema.get("required", ()))
        rows = ((f"`{field}`", "yes" if field in needed else "") for field in schema["properties"])
        parts.append(f"\n## `{node['type']}`\n\n{node['description']}{waits} Ports: {ports}.\n\n")
        parts.append(table(("field", "needed"), rows))
    return "".join(parts)
