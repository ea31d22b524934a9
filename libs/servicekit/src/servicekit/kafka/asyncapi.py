"""The AsyncAPI 3 document of all topics: FastStream declares the channels, what is in their records is said here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from faststream.kafka import KafkaBroker
from faststream.specification import AsyncAPI

from contracts import project_topics
from contracts.topic import Topic
from contracts.topics import TOPICS
from servicekit.kafka.asyncapi_messages import Schema, header_schemas, message, messages_of, payload_schemas

TITLE, VERSION = "Switchhook", "1"
ABOUT = (
    "What Switchhook's services and programs beside them write to Kafka and read from it. Programs write `commands` and read"
    " `events`, or those of a project that has topics of its own; all other topics are for the services alone. Records are CloudEvents 1.0 in binary mode: attributes are headers,"
    " the value is JSON. Where SWITCHHOOK_TOPIC_PREFIX is set, it stands before each address."
)
SLUG = "slug"
"""Stands for a project's slug in the names of channels."""
OF_PROJECTS = project_topics.topics_of(SLUG)
CHANNELS = (*TOPICS, *OF_PROJECTS)
OUTSIDE = frozenset({"integrators", "operators"})
"""Who writes or reads a topic without being a service."""
BROKER = {
    "default": "127.0.0.1:9092",
    "description": "Host and port of a broker: SWITCHHOOK_KAFKA of the installation; `switchhook dev` prints its own",
}
LOGINS: Schema = {
    "plain": {"type": "plain", "description": "SASL PLAIN"},
    "scramSha256": {"type": "scramSha256", "description": "SASL SCRAM-SHA-256"},
    "scramSha512": {"type": "scramSha512", "description": "SASL SCRAM-SHA-512"},
    "certificate": {"type": "X509", "description": "A client's certificate, over TLS"},
}
SECURITY_SCHEMES: Schema = {
    **LOGINS,
    "token": {
        "type": "http", "scheme": "bearer",
        "description": "A token of the project in the header `authorization` of each command; its scope is that of the kind",
    },
}  # fmt: skip


def declared_broker() -> KafkaBroker:
    """A broker that knows every topic; it is never connected. Records go through servicekit's own loop."""
    broker = KafkaBroker()
    for topic in CHANNELS:
        broker.publisher(topic.name, title=topic.name, description=_description(topic), schema=topic.record)
    return broker


def asyncapi_document(examples: Mapping[str, Mapping[str, Any]] | None = None) -> Schema:
    """The document. `examples`: topic -> kind of its record -> a value.

    Each topic's key, settings and parties stand as extensions at its channel.
    """
    made = AsyncAPI(declared_broker(), title=TITLE, version=VERSION, schema_version="3.0.0").to_specification()
    document: Schema = orjson.loads(made.to_json())
    document["info"] |= {
        "description": ABOUT,
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
    }
    document["servers"] = _servers()
    document["operations"] = {}
    messages: Schema = {}
    for topic in CHANNELS:
        kinds = {kind.name: kind for kind in messages_of(topic)}
        messages |= {
            f"{topic.name}:{name}": message(topic, kind, (examples or {}).get(topic.name, {}).get(name))
            for name, kind in kinds.items()
        }
        _complete(document["channels"][topic.name], topic, kinds)
        document["operations"] |= _operations(topic)
    schemas = payload_schemas(CHANNELS) | header_schemas(CHANNELS)
    document["components"] = {"messages": messages, "schemas": schemas, "securitySchemes": SECURITY_SCHEMES}
    return document


def _servers() -> Schema:
    logins = [{"$ref": f"#/components/securitySchemes/{name}"} for name in LOGINS]
    return {
        "inside": {
            "host": "{broker}", "protocol": "kafka", "variables": {"broker": BROKER},
            "description": "Without encryption: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL is PLAINTEXT or SASL_PLAINTEXT",
        },
        "encrypted": {
            "host": "{broker}", "protocol": "kafka-secure", "variables": {"broker": BROKER}, "security": logins,
            "description": "SWITCHHOOK_KAFKA_SECURITY_PROTOCOL is SSL or SASL_SSL",
        },
    }  # fmt: skip


def _complete(channel: Schema, topic: Topic, kinds: Mapping[str, Any]) -> None:
    channel.pop("servers", None)
    channel["title"] = topic.title
    channel["messages"] = {name: {"$ref": f"#/components/messages/{topic.name}:{name}"} for name in kinds}
    if topic in OF_PROJECTS:
        channel["address"] = topic.name.replace(f".{SLUG}.", f".{{{SLUG}}}.")
        channel["parameters"] = {SLUG: {"description": "Of the project; `switchhook-ops project list` shows it"}}
    channel["x-key"] = topic.key
    channel["x-partitions"] = topic.partitions
    channel["x-settings"] = topic.settings()
    channel["x-producers"] = list(topic.producers)
    channel["x-consumers"] = list(topic.consumers)


def _operations(topic: Topic) -> Schema:
    """What Switchhook itself does with the topic."""
    at: Schema = {"channel": {"$ref": f"#/channels/{topic.name}"}}
    found: Schema = {}
    if writers := [each for each in topic.producers if each not in OUTSIDE]:
        found[f"send.{topic.name}"] = {"action": "send", **at, "summary": f"Written by {', '.join(writers)}"}
    if readers := [each for each in topic.consumers if each not in OUTSIDE]:
        received: Schema = {"action": "receive", **at, "summary": f"Read by {', '.join(readers)}"}
        if any(each.name == "authorization" for each in topic.headers):
            received["security"] = [{"$ref": "#/components/securitySchemes/token"}]
        found[f"receive.{topic.name}"] = received
    return found


def _description(topic: Topic) -> str:
    return f"{topic.title}. Written by {', '.join(topic.producers)}; read by {', '.join(topic.consumers)}."
