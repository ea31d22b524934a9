"""The AsyncAPI 3 document of all topics, made by FastStream from contracts.topics."""

from __future__ import annotations

from typing import Any

import orjson
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from contracts.topic import Topic
from contracts.topics import TOPICS

TITLE, VERSION = "Switchhook", "1"


def declared_broker() -> KafkaBroker:
    """A broker that knows every topic; it is never connected. Records go through servicekit's own loop."""
    broker = KafkaBroker()
    for topic in TOPICS:
        broker.publisher(topic.name, title=topic.name, description=_description(topic), schema=topic.record)
    return broker


def asyncapi_document() -> dict[str, Any]:
    """The document, with each topic's key, retention and parties as extensions of its channel."""
    made = AsyncAPI(declared_broker(), title=TITLE, version=VERSION, schema_version="3.0.0").to_specification()
    document: dict[str, Any] = orjson.loads(made.to_json())
    document.pop("servers", None)  # Which servers is each installation's own.
    by_name = {topic.name: topic for topic in TOPICS}
    for channel in document["channels"].values():
        topic = by_name[channel["address"]]
        channel.pop("servers", None)
        channel["x-key"] = topic.key
        channel["x-partitions"] = topic.partitions
        channel["x-settings"] = topic.settings()
        channel["x-producers"] = list(topic.producers)
        channel["x-consumers"] = list(topic.consumers)
    return document


def _description(topic: Topic) -> str:
    return f"{topic.title}. Written by {', '.join(topic.producers)}; read by {', '.join(topic.consumers)}."
