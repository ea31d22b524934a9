"""Writing to Kafka: in order, acknowledged, and after a failure nothing of what was queued behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from contracts.partitioner import partition_for
from contracts.topic import DLQ_RECORD_LIMIT, RECORD_LIMIT
from devstack.ports import free_port
from servicekit.kafka import publisher as publishing
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import missing_topics
from servicekit.kafka.publisher import KafkaPublisher, NotAcknowledged, TooLarge
from servicekit.kafka.records import Outgoing
from servicekit.kafka.refused_writes import RefusedWrites
from support.ledger import read_all
from support.topics import set_topic
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]


async def test_records_keep_their_order_and_a_key_its_partition(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("out", partitions=5)
    records = [Outgoing(topic, b"k%d" % (n % 20), b"%d" % n, [("n", b"%d" % n)]) for n in range(500)]
    half = len(records) // 2
    await asyncio.gather(publisher.publish_many(records[:half]), publisher.publish_many(records[half:]))
    read = await read_all(kafka, topic)
    assert len(read) == 500
    for record in read:
        assert record.partition == partition_for(record.key or b"", 5)
        assert dict(record.headers) == {"n": record.value}
    for key in {record.key for record in read}:
        numbers = [int(record.value or b"") for record in read if record.key == key]
        assert numbers == sorted(numbers)


async def test_a_single_record_is_answered_with_its_offset(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("out")
    offsets = await asyncio.gather(*(publisher.publish(Outgoing(topic, None, b"%d" % n, [])) for n in range(300)))
    assert sorted(offsets) == list(range(300))
    values = [record.value for record in await read_all(kafka, topic)]
    assert [values[offset] for offset in offsets] == [b"%d" % n for n in range(300)]


async def test_a_named_partition_and_a_null_value_are_kept(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("out", partitions=3)
    await publisher.publish_many([Outgoing(topic, b"k", None, [], partition) for partition in range(3)])
    assert [(record.partition, record.value) for record in await read_all(kafka, topic)] == [
        (0, None),
        (1, None),
        (2, None),
    ]


async def test_after_a_refused_batch_nothing_that_was_queued_behind_it_is_sent(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic
) -> None:
    """Plain aiokafka would send the second batch: a gap that, filled later, is taken for a repeat."""
    topic = await make_topic("out", config={"max.message.bytes": "500"})
    await publisher.know([topic])
    first = publisher.enqueue([Outgoing(topic, b"k", b"x" * 1000, [])])
    behind = publisher.enqueue([Outgoing(topic, b"k", b"second", [])])
    third = publisher.enqueue([Outgoing(topic, b"k", b"third", [])])
    for future in (first, behind, third):
        with pytest.raises(NotAcknowledged):
            await future
    await eventually(lambda: publisher.connected)
    await publisher.publish(Outgoing(topic, b"k", b"later", []))
    assert [record.value for record in await read_all(kafka, topic)] == [b"later"]


async def test_what_kafka_refuses_is_told_until_it_is_taken(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = RefusedWrites()
    monkeypatch.setattr(publishing, "REFUSED", refused)
    topic = await make_topic("out", config={"max.message.bytes": "500"})
    with pytest.raises(NotAcknowledged):
        await publisher.publish(Outgoing(topic, b"k", b"x" * 1000, []))
    assert f"{topic} since" in str(refused.problem())
    assert "(MessageSizeTooLargeError): give the topic max.message.bytes=" in str(refused.problem())
    await eventually(lambda: publisher.connected)
    await publisher.publish(Outgoing(topic, b"k", b"small", []))
    assert refused.problem() is not None
    await set_topic(kafka, topic, {"max.message.bytes": "5000"})

    async def taken() -> bool:
        try:
            await publisher.publish(Outgoing(topic, b"k", b"x" * 1000, []))
        except NotAcknowledged:
            return False
        return True

    await eventually(taken)
    assert refused.problem() is None


async def test_what_kafka_would_refuse_anywhere_is_refused_at_once(publisher: KafkaPublisher) -> None:
    with pytest.raises(TooLarge):
        await publisher.publish(Outgoing("any", b"k", b"x" * DLQ_RECORD_LIMIT, []))


async def test_one_record_that_kafka_would_refuse_lets_none_of_its_list_be_written(
    publisher: KafkaPublisher, kafka: str, make_topic: MakeTopic
) -> None:
    topic = await make_topic("out")
    with pytest.raises(TooLarge, match=f"{topic} has 41943.. bytes, 4194304 are allowed"):
        await publisher.publish_many([Outgoing(topic, b"k", b"1", []), Outgoing(topic, b"k", b"x" * RECORD_LIMIT, [])])
    await publisher.publish(Outgoing(topic, b"k", b"later", []))
    assert [record.value for record in await read_all(kafka, topic)] == [b"later"]


async def test_a_topic_that_does_not_exist_is_not_acknowledged(kafka: str, topic_prefix: str) -> None:
    publisher = KafkaPublisher(Cluster(kafka), client_id="test", timeout=1)
    await publisher.start()
    with pytest.raises(NotAcknowledged):
        await publisher.publish(Outgoing(topic_prefix + "nowhere", b"k", b"x", []))
    await publisher.stop()


async def test_a_topic_that_it_writes_to_rarely_is_missed_before_the_first_record(
    kafka: str, topic_prefix: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servicekit.kafka.publisher.LOOK_SECONDS", 0.05)
    topic = topic_prefix + "letters"
    publisher = KafkaPublisher(Cluster(kafka), client_id="test", rarely=[topic])
    await publisher.start()
    await eventually(lambda: missing_topics.problem(topic) is not None)
    assert await make_topic("letters") == topic
    await eventually(lambda: missing_topics.problem(topic) is None)
    await publisher.stop()


async def test_it_starts_without_a_broker_and_says_so() -> None:
    publisher = KafkaPublisher(Cluster(f"127.0.0.1:{free_port()}"), client_id="test", timeout=0.3)
    await publisher.start()
    assert not publisher.connected
    with pytest.raises(NotAcknowledged):
        await publisher.publish(Outgoing("t", b"k", b"x", []))
    with pytest.raises(NotAcknowledged):
        publisher.enqueue([Outgoing("t", b"k", b"x", [])])
    await publisher.stop()
