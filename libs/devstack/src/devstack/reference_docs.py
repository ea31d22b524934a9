"""Writes docs/reference from the code: topics, HTTP routes, metrics, settings, flows. `switchhook schemas`."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from contracts import project_topics
from contracts.described import Described
from contracts.event_data import EventData
from contracts.event_types import EVENTS, EventKind
from contracts.routes import PREFIXES, PRIVATE, ROUTES, Proof
from contracts.topics import TOPICS
from devstack import reference_commands, reference_flows
from devstack.field_tables import Field, fields_of, table
from devstack.paths import ROOT
from flowlang.language.schema import document_schema
from servicekit.observability.metrics import MEANINGS

FOLDER = ROOT / "docs" / "reference"
SETTINGS = {
    "Every service": "libs/servicekit/src/servicekit/settings.py",
    "ingress": "services/ingress/src/ingress/settings.py",
    "flow-engine": "services/flow-engine/src/flow_engine/settings.py",
    "dispatcher": "services/dispatcher/src/dispatcher/settings.py",
    "registry": "services/registry/src/registry/settings.py",
    "switchhook-ops, beside how every service reaches Kafka": "libs/operations/src/operations/environment.py",
}
"""Whose settings they are -> the file of their class."""
NOTE = "\nMade from the code by `./switchhook schemas`; a test compares.\n"


def pages() -> dict[str, str]:
    """File name -> text, as it should be committed."""
    return {
        "topics.md": topics(),
        "http.md": http(),
        "events.md": events(),
        "metrics.md": metrics(),
        "settings.md": settings(),
        "operator-commands.md": reference_commands.page(NOTE),
        **reference_flows.pages(NOTE),
        "flow.schema.json": json.dumps(document_schema(), indent=1) + "\n",
    }


def write() -> None:
    """Bring the committed pages up to date."""
    for name, text in pages().items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)


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
        for topic in (*TOPICS, *project_topics.topics_of("<slug>"))
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
    offered = [each for each in EVENTS.values() if each.offered]
    rows = ((f"[`{each.name}`](#{each.name.replace('.', '')})", each.what, each.key) for each in offered)
    shared = table(("field of `data`", "takes", "what it is"), map(_described, fields_of(_schema_of(EventData))))
    return "".join([
        f"# Events\n{NOTE}{ABOUT_EVENTS}\n{table(('type', 'what happened', 'in order for one'), rows)}",
        f"\n## In the data of each\n\nWhere it is known:\n\n{shared}",
        *map(_event, offered),
    ])  # fmt: skip


ABOUT_EVENTS = """
What endpoints subscribe to and `switchhook.events.v1` holds. A body is `{type, timestamp, data}`. An endpoint chooses types,
groups such as `tag.*`, or `*`. Fields may be added to `data` in later releases: leave aside what you do not know.
"""


def _event(kind: EventKind) -> str:
    fields = [_described(each) for each in fields_of(_schema_of(kind.data), leave_out=EventData.model_fields)]
    own = table(("field of `data`", "takes", "what it is"), fields) + "\n" if fields else ""
    body = {"type": kind.name, "timestamp": "2026-11-21T00:01:00.000Z", "data": dict(kind.sample)}
    return f"\n## {kind.name}\n\n{kind.what}.\n\n{own}```json\n{json.dumps(body)}\n```\n"


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="serialization", schema_generator=Described)


def _described(field: Field) -> tuple[str, str, str]:
    return field.shown, field.takes, field.meaning or "—"


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
    """The page about settings: of every service, then of each, then of the operator's command."""
    parts = [f"# Settings\n{NOTE}\nEnvironment variables. Lists are separated by commas.\n"]
    for title, file in SETTINGS.items():
        rows = list(settings_in(ROOT / file))
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
