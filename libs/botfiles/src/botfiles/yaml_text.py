"""Contents as YAML 1.2 text: the same text for the same content, and what flow documents are read by reads it back."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from flowlang.language.yaml_text import parse

FIRST = (
    "schema", "slug", "id", "type", "name", "title", "description", "start", "session_ttl", "on_error", "strict", "variables",
    "triggers", "nodes", "ports", "tests",
)  # fmt: skip
LAST = ("ports", "tests")
ORDER = {name: place for place, name in enumerate(FIRST) if name not in LAST}
WIDTH = 120
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""What YAML takes as an escape only."""


class _Plain(SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Plain.add_representer(str, _Plain.text)


def written(content: Any) -> str:
    """YAML; JSON, which is YAML, too, for a content that would be read as another one."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Plain
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width, yaml.allow_unicode = WIDTH, True
    stream = io.StringIO()
    yaml.dump(ordered(content), stream)
    text = stream.getvalue()
    try:
        is_same = parse(text) == content
    except ValueError:
        is_same = False
    return text if is_same else _json(ordered(content))


def _json(content: Any) -> str:
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text) + "\n"


def ordered(value: Any) -> Any:
    """Its objects with the fields that tell what they are first, ways out last, and all others by name."""
    if isinstance(value, list):
        return [ordered(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: ordered(value[name]) for name in sorted(value, key=_place)}


def _place(name: str) -> tuple[int, str]:
    return (len(FIRST) + (name in LAST) if name not in ORDER else ORDER[name]), name
