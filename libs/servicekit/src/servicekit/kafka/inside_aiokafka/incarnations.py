"""What a topic is besides its name: the id that Kafka gave it when it was made, and who leads its partitions since when.

A topic that was deleted and made anew has the same name, and offsets that begin again; only its id tells the two apart.
aiokafka's requests for metadata are too old to ask for it (KIP-516, version 10 of the request, Kafka 2.8).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any, cast

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IncompatibleBrokerVersion, KafkaError, NoError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

NO_ID = bytes(16)


class Uuid(AbstractType[bytes]):  # type: ignore[misc]
    """16 bytes."""

    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class TopicMetadataResponse(Response):  # type: ignore[misc]
    """Version 10 of the answer to a metadata request, as Kafka's protocol guide has it."""

    API_KEY = 3
    API_VERSION = 10
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    )


class TopicMetadataRequestStruct(RequestStruct):  # type: ignore[misc]
    """Version 10 of a metadata request."""

    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 10
    RESPONSE_TYPE = TopicMetadataResponse
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class TopicMetadataRequest(Request[TopicMetadataRequestStruct]):  # type: ignore[misc]
    """About one topic; never makes it."""

    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[TopicMetadataRequestStruct]) -> TopicMetadataRequestStruct:
        return request_struct_class([(NO_ID, self._topic, {})], False, False, False, {})


@dataclass(frozen=True, slots=True)
class TopicState:
    """`incarnation`: the topic's id as Kafka's tools print it, None where the cluster gives none. `leader_epochs`:
    partition -> how often it has had a new leader; what it holds may be another since that rose."""

    incarnation: str | None
    leader_epochs: Mapping[int, int]


UNKNOWN = TopicState(None, {})


async def state_of(client: AIOKafkaClient, topic: str) -> TopicState:
    """The state of a topic, by its name on the cluster. UNKNOWN where brokers are too old to tell it.

    Raises KafkaError, UnknownTopicOrPartitionError among them.
    """
    node = client.get_random_node()
    if node is None:
        raise KafkaError("no broker is known")
    try:
        answer = await client.send(node, TopicMetadataRequest(topic))
    except (IncompatibleBrokerVersion, NotImplementedError):
        return UNKNOWN
    error_code, _, id, _, partitions, *_ = answer.topics[0]
    error = for_code(error_code)
    if error is not NoError and id == NO_ID:
        raise error(topic)
    return TopicState(_printed(id), {each[1]: each[3] for each in cast("list[Any]", partitions)})


def _printed(id: bytes) -> str | None:
    return None if id == NO_ID else urlsafe_b64encode(id).decode().rstrip("=")
