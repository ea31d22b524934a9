"""The AsyncAPI document: valid by AsyncAPI's own JSON Schema, whole, and its examples are what it says.

The schema is `schemas/3.0.0-without-$id.json` of the npm package @asyncapi/specs 6.11.1 (Apache-2.0), without its whitespace.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from contracts import commands, project_topics
from contracts.event_types import EVENTS
from contracts.topics import TOPICS
from devstack.schemas import FOLDER
from support.described_records import resolved, validator_of

OFFICIAL = json.loads((Path(__file__).parents[1] / "samples" / "asyncapi-3.0.0.schema.json").read_text())
DOCUMENT: dict[str, Any] = json.loads((FOLDER / "asyncapi.json").read_text())
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]
TYPES = [name for name, kind in EVENTS.items() if kind.offered]


def test_it_is_valid_by_the_schema_of_asyncapi() -> None:
    assert [error.message for error in Draft7Validator(OFFICIAL).iter_errors(DOCUMENT)] == []


def test_each_topic_is_a_channel_with_a_message_for_each_kind_of_record() -> None:
    of_projects = project_topics.topics_of("slug")
    assert DOCUMENT["channels"].keys() == {topic.name for topic in (*TOPICS, *of_projects)}
    assert {DOCUMENT["channels"][topic.name]["address"] for topic in of_projects} == {
        "switchhook.project.{slug}.commands.v1",
        "switchhook.project.{slug}.events.v1",
    }
    kinds = {name: set(channel["messages"]) for name, channel in DOCUMENT["channels"].items()}
    assert kinds["switchhook.events.v1"] == set(TYPES)
    writes = {"contact_create", "contact_update", "contact_merge"}
    assert kinds["switchhook.commands.v1"] == {"start", "say", "signal", *writes}
    assert kinds["switchhook.registry.v1"] == {"entity", "snapshot"}
    assert {"message", "call_result", "timer"} <= kinds["switchhook.inbound.v1"]
    assert set(MESSAGES) == {f"{topic}:{kind}" for topic, names in kinds.items() for kind in names}


def test_every_reference_leads_somewhere() -> None:
    def look(node: Any) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert resolved(DOCUMENT, node["$ref"])
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                look(each)

    look(DOCUMENT)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_says_its_headers_and_its_value(name: str) -> None:
    message, topic = MESSAGES[name], name.partition(":")[0]
    assert message["summary"]
    assert message["payload"]
    assert ("headers" in message) == (topic != "switchhook.registry.v1")
    for example in message.get("examples", ()):
        validator_of(DOCUMENT, message["payload"]).validate(example["payload"])


@pytest.mark.parametrize("type", TYPES)
def test_an_event_has_its_own_type_in_value_and_header_and_a_schema_of_its_data(type: str) -> None:
    message = MESSAGES[f"switchhook.events.v1:{type}"]
    assert message["headers"]["properties"]["ce_type"] == {"const": f"dev.switchhook.{type}"}
    validator = validator_of(DOCUMENT, message["payload"])
    (example,) = message["examples"]
    assert not validator.is_valid(example["payload"] | {"type": "another"})
    if EVENTS[type].sample and "reason" not in EVENTS[type].sample:
        assert not validator.is_valid(example["payload"] | {"data": {}})


def test_headers_are_described_with_the_prefix_of_types_and_where_a_record_comes_from() -> None:
    headers = DOCUMENT["components"]["schemas"]["switchhook.events.v1:Headers"]
    assert "dev.switchhook." in headers["properties"]["ce_type"]["description"]
    assert {"src-topic", "src-offset", "src-incarnation", "swh-registry-incarnation"} <= headers["properties"].keys()
    assert {"ce_id", "ce_type", "ce_project"} <= set(headers["required"])
    asked = DOCUMENT["components"]["schemas"]["switchhook.commands.v1:Headers"]
    assert set(asked["required"]) == {"authorization", "ce_id"}


def test_a_command_needs_a_token_and_servers_say_how_a_client_logs_in() -> None:
    operation = DOCUMENT["operations"][f"receive.{commands.TOPIC.name}"]
    assert operation["security"] == [{"$ref": "#/components/securitySchemes/token"}]
    assert f"send.{commands.TOPIC.name}" not in DOCUMENT["operations"]
    assert {server["protocol"] for server in DOCUMENT["servers"].values()} == {"kafka", "kafka-secure"}
    used = {each["$ref"].rpartition("/")[2] for each in DOCUMENT["servers"]["encrypted"]["security"]}
    assert used | {"token"} == DOCUMENT["components"]["securitySchemes"].keys()
