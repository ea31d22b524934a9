"""Every published example is read by the models of today and written back unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from contracts.schemas import schema_name
from contracts.topics import TOPICS

EXAMPLES = Path(__file__).parents[2] / "contracts" / "examples"
ADAPTERS = {schema_name(topic.name).removesuffix(".v1"): TypeAdapter(topic.record) for topic in TOPICS}


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_published_example_round_trips(path: Path) -> None:
    adapter, raw = ADAPTERS[path.parent.name], path.read_bytes()
    written = adapter.dump_json(adapter.validate_json(raw), exclude_unset=True)
    assert json.loads(written) == json.loads(raw)


@pytest.mark.parametrize("topic", ["inbound", "actions", "replies", "commands"])
def test_every_kind_of_a_topic_has_an_example(topic: str) -> None:
    shown = {json.loads(path.read_bytes())["kind"] for path in (EXAMPLES / topic).glob("*.json")}
    mapping = ADAPTERS[topic].json_schema()["discriminator"]["mapping"]
    assert shown == set(mapping)


def test_a_field_of_a_newer_writer_is_ignored() -> None:
    raw = json.loads((EXAMPLES / "inbound" / "message.json").read_bytes())
    event = ADAPTERS["inbound"].validate_python({**raw, "invented_later": 1})
    assert event.text == "/start"
