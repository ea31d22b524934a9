"""librdkafka's murmur2 puts a key where ours does; its default (CRC32) does not, which is why commands.v1 takes any key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from confluent_kafka import Message, Producer

from contracts.partitioner import partition_for

KEYS = [f"bot-{each}/channel/{each * 7919}".encode() for each in range(200)]
PARTITIONS = 12


def partitions_chosen(servers: str, topic: str, partitioner: str) -> dict[bytes, int]:
    """Where librdkafka puts each key."""
    chosen: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        chosen[message.key()] = message.partition()

    producer = Producer({"bootstrap.servers": servers, "partitioner": partitioner})
    for key in KEYS:
        producer.produce(topic, value=b"x", key=key, on_delivery=delivered)
    assert producer.flush(20) == 0
    return chosen


async def test_librdkafkas_murmur2_agrees_with_ours(kafka: str, make_topic: Callable[..., Awaitable[str]]) -> None:
    topic = await make_topic("keys", partitions=PARTITIONS)
    assert partitions_chosen(kafka, topic, "murmur2_random") == {key: partition_for(key, PARTITIONS) for key in KEYS}


async def test_librdkafkas_default_does_not(kafka: str, make_topic: Callable[..., Awaitable[str]]) -> None:
    topic = await make_topic("keys", partitions=PARTITIONS)
    ours = {key: partition_for(key, PARTITIONS) for key in KEYS}
    assert partitions_chosen(kafka, topic, "consistent_random") != ours
