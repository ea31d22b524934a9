"""The Helm chart's README and values.schema.json, from values.yaml and its comments.

`# -- text` above a key is its row in the README; what is below such a key has no row of its own. `# @schema {…}` adds what
the type of a default does not say. No object of the schema takes a key that it does not name: a typo is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from devstack.field_tables import table
from devstack.paths import ROOT
from devstack.reference_docs import SETTINGS, settings_in
from flowlang.language.yaml_text import parse

KEY = re.compile(r"^(?P<indent> *)(?P<name>\w+):(?P<value>.*)$")
TYPES = {bool: "boolean", int: "integer", str: "string", list: "array", dict: "object"}
CHARTS_OWN = frozenset(
    "SWITCHHOOK_" + name
    for name in (
        "ADMIN_TOKEN", "ALLOWED_NETWORKS", "DATABASE", "DRAIN_SECONDS", "HOST", "INSTANCE", "KEK", "LINK_KEY", "LOG_LEVEL",
        "OTLP_ENDPOINT", "PORT", "PUBLIC_URL", "TOPIC_PREFIX", "TRUSTED_PROXIES",
    )
)  # fmt: skip
"""Settings that the chart sets, or that are secrets; so are all that begin with SWITCHHOOK_KAFKA."""
COMPONENTS = {"ingress": "ingress", "flowEngine": "flow-engine", "dispatcher": "dispatcher", "registry": "registry"}
"""Key in values.yaml -> service."""
INTRODUCTION = """\
# switchhook

Helm chart of Switchhook: ingress, flow-engine, dispatcher and registry, with Kafka and PostgreSQL that are there already or that
Strimzi and CloudNativePG run. How to install, upgrade, scale and restore: [docs/how-to/deploy-helm.md](../../../docs/how-to/deploy-helm.md).

The chart makes no secret: it refuses to be installed until Secrets are named that hold them.

Made from the comments of values.yaml by `./switchhook schemas`; a test compares.

"""


@dataclass
class Entry:
    """One key of values.yaml. `said`: its row's text, empty without a row."""

    path: tuple[str, ...]
    said: str
    schema: dict[str, Any] = field(default_factory=dict)


def files(chart: Path) -> dict[str, str]:
    """Name below the chart -> text."""
    text = (chart / "values.yaml").read_text()
    return {"README.md": readme(text), "values.schema.json": json.dumps(schema(text), indent=1) + "\n"}


def entries(text: str) -> Iterator[Entry]:
    """The keys that stand on a line of their own."""
    above: list[str] = []
    path: list[str] = []
    for line in text.splitlines():
        found = KEY.match(line)
        if found:
            path = [*path[: len(found["indent"]) // 2], found["name"]]
            yield Entry(tuple(path), *said_in(above))
        above = [*above, line.strip()] if line.strip().startswith("#") else []


def said_in(comments: list[str]) -> tuple[str, dict[str, Any]]:
    """The text and the schema of the comments above a key."""
    said = [line.removeprefix("# -- ") for line in comments if line.startswith("# -- ")]
    told = [json.loads(line.removeprefix("# @schema ")) for line in comments if line.startswith("# @schema ")]
    return " ".join(said), {key: value for each in told for key, value in each.items()}


def readme(text: str) -> str:
    """The README, in the manner of helm-docs."""
    values = parse(text)
    rows = [
        (f"`{'.'.join(each.path)}`", kind_of(default), f"`{json.dumps(default, ensure_ascii=False)}`", each.said)
        for each in entries(text)
        if each.said
        for default in [at(values, each.path)]
    ]
    return f"{INTRODUCTION}## Values\n\n{table(('key', 'type', 'default', 'meaning'), rows)}"


def at(values: Any, path: tuple[str, ...]) -> Any:
    """The value that a path of keys leads to."""
    for key in path:
        values = values[key]
    return values


def kind_of(default: Any) -> str:
    """The word of JSON schema for a default's type."""
    return TYPES[type(default)]


def schema(text: str) -> dict[str, Any]:
    """The JSON schema of the values. KeyError for a key with a default that says neither its keys nor a schema."""
    told = {each.path: each for each in entries(text)}
    made = described(parse(text), (), told)
    made["properties"]["global"] = {"type": "object", "description": "Helm's own."}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **made, "$defs": definitions()}


def described(value: Any, path: tuple[str, ...], told: dict[tuple[str, ...], Entry]) -> dict[str, Any]:
    """The schema of the value at a path."""
    here = told.get(path, Entry(path, ""))
    if isinstance(value, dict) and not here.schema:
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": {key: described(below, (*path, key), told) for key, below in value.items()},
        }
    if "$ref" in here.schema:
        return here.schema
    if isinstance(value, list) and "items" not in here.schema:
        raise KeyError(f"{'.'.join(path)}: @schema has to say what its items are")
    said = {"description": here.said} if here.said else {}
    return {"type": kind_of(value), **said, **here.schema}


def definitions() -> dict[str, Any]:
    """What several keys are, and what Kubernetes calls the parts of a value."""
    strings = {"type": "object", "additionalProperties": {"type": "string"}}
    quantity = {"type": "string", "pattern": r"^[0-9.]+(m|k|Ki|M|Mi|G|Gi|T|Ti)?$"}
    amounts = closed(cpu=quantity, memory=quantity)
    text, number = {"type": "string"}, {"type": "integer"}
    selector = closed(
        matchLabels=strings,
        matchExpressions={
            "type": "array",
            "items": closed(key=text, operator=text, values={"type": "array", "items": text}),
        },
    )
    block = closed(cidr=text, **{"except": {"type": "array", "items": text}})
    return {
        "strings": strings,
        "resources": closed(requests=amounts, limits=amounts),
        "toleration": closed(key=text, operator=text, value=text, effect=text, tolerationSeconds=number),
        "peer": {**closed(namespaceSelector=selector, podSelector=selector, ipBlock=block), "minProperties": 1},
        "parent": {
            **closed(group=text, kind=text, name=text, namespace=text, sectionName=text, port=number),
            "required": ["name"],
        },
        **{
            f"{key}Settings": closed(**dict.fromkeys(settings_of(service), text)) for key, service in COMPONENTS.items()
        },
    }


def closed(**properties: dict[str, Any]) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties}


def settings_of(service: str) -> list[str]:
    """The settings of a service that the chart leaves to whoever installs it."""
    names = [
        name.strip("`") for title in ("Every service", service) for name, *_ in settings_in(ROOT / SETTINGS[title])
    ]
    return sorted({name for name in names if name not in CHARTS_OWN and not name.startswith("SWITCHHOOK_KAFKA")})
