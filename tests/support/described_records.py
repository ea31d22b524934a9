"""Holds records against the AsyncAPI document."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from contracts import actions, events, findings, inbound, replies
from devstack.schemas import FOLDER
from servicekit.kafka.records import Record
from support.tail import Tail

WRITTEN_BY_SERVICES = (inbound.TOPIC, actions.TOPIC, events.TOPIC, findings.TOPIC, replies.TOPIC)
OF_EACH_KIND = 20
"""So many records of a kind are looked at: a validator takes milliseconds for each."""


def resolved(document: dict[str, Any], pointer: str) -> Any:
    """What a reference of the document leads to. KeyError where that is nothing."""
    node: Any = document
    for part in pointer.removeprefix("#/").split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def validator_of(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    """For a schema that stands in the document and may refer to others of it."""
    return Draft202012Validator({**schema, "components": document["components"]})


class DescribedRecords:
    """The messages of each topic."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._messages = document["components"]["messages"]
        self._validators = cache(lambda name, part: validator_of(document, self._messages[name][part]))

    def problems(self, topic: str, headers: dict[str, str], value: Any) -> list[str]:
        """What is not as described, of a record that a service wrote; empty: all is."""
        kind = value.get("type") if "kind" not in value else value["kind"]
        name = f"{topic}:{kind}"
        if name not in self._messages:
            return [f"{name} is not described"]
        described = self._messages[name]["headers"]["allOf"][0]["$ref"]
        known = self._validators(name, "headers").schema["components"]["schemas"][described.rpartition("/")[2]]
        found = [
            f"{name}: the header {header} is not described" for header in headers.keys() - known["properties"].keys()
        ]
        for part, given in (("headers", headers), ("payload", value)):
            found += [
                f"{name} {part} {error.json_path}: {error.message[:300]}"
                for error in self._validators(name, part).iter_errors(given)
            ]
        return found


async def unlike_their_description(kafka: str) -> tuple[set[str], list[str]]:
    """(the kinds of records that services have written on this Kafka, what of them is not as AsyncAPI says)."""
    described = DescribedRecords(json.loads((FOLDER / "asyncapi.json").read_text()))
    kinds: dict[str, list[tuple[str, dict[str, str], bytes]]] = defaultdict(list)
    for topic in WRITTEN_BY_SERVICES:
        async with Tail(kafka, topic.name) as tail:
            for record in await tail.records():
                headers = texts(record)
                if headers.get("ce_source", "").startswith("switchhook/"):
                    kinds[headers.get("ce_type", "")].append((topic.name, headers, record.value or b""))
    problems = [
        problem
        for records in kinds.values()
        for topic_name, headers, value in records[-OF_EACH_KIND:]
        for problem in described.problems(topic_name, headers, json.loads(value))
    ]
    return set(kinds), problems


def texts(record: Record) -> dict[str, str]:
    """Its headers as text."""
    return {name: (value or b"").decode("utf-8", "replace") for name, value in record.headers}
