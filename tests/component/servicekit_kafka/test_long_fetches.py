"""A fetch that finds nothing waits at the broker for seconds, and nobody waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import fetching
from support.ledger import produce
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
SOON = fetching.SILENT_WAIT_MS / 1000 / 4


@pytest.fixture
async def waiting(
    kafka: str, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition, TopicPartition]]:
    """A consumer whose fetch of the first partition waits; the second one is paused and has a record."""
    monkeypatch.setattr(fetching, "SILENT_SECONDS", -1.0)
    topic = await make_topic("in", partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)
    await produce(kafka, topic, [("k", 1)], partition=1)
    consumer = make_consumer(Cluster(kafka), client_id="test")
    await consumer.start()
    try:
        consumer.assign([first, second])
        consumer.pause(second)
        for each in (first, second):
            consumer.seek(each, 0)
        await eventually(lambda: fetching.waits(consumer))
        yield consumer, first, second
    finally:
        await consumer.stop()


Waiting = tuple[AIOKafkaConsumer, TopicPartition, TopicPartition]


async def test_a_partition_that_is_resumed_is_fetched_at_once(waiting: Waiting) -> None:
    consumer, _, second = waiting
    consumer.resume(second)
    async with asyncio.timeout(SOON):
        assert [each.offset for each in (await consumer.getmany(timeout_ms=10_000))[second]] == [0]


async def test_what_lies_elsewhere_is_fetched_at_once(waiting: Waiting, kafka: str) -> None:
    consumer, first, _ = waiting
    await produce(kafka, first.topic, [("k", 1)], partition=0)
    async with asyncio.timeout(SOON):
        assert len((await consumer.getmany(timeout_ms=10_000))[first]) == 1
        consumer.seek(first, 0)
        assert len((await consumer.getmany(timeout_ms=10_000))[first]) == 1


async def test_the_logs_end_is_told_while_a_fetch_waits(waiting: Waiting) -> None:
    consumer, _, second = waiting
    async with asyncio.timeout(SOON):
        assert (await consumer.end_offsets([second]))[second] == 1


async def test_another_assignment_is_fetched_at_once(waiting: Waiting) -> None:
    consumer, _, second = waiting
    consumer.assign([second])
    consumer.seek(second, 0)
    async with asyncio.timeout(SOON):
        assert len((await consumer.getmany(timeout_ms=10_000))[second]) == 1


async def test_a_partition_whose_records_were_taken_late_is_fetched_at_once(waiting: Waiting, kafka: str) -> None:
    """What waits to be taken is left out of fetches, so the one under way is of the other partition."""
    consumer, first, second = waiting
    consumer.resume(second)
    await eventually(lambda: second in consumer._fetcher._records and fetching.waits(consumer))
    await produce(kafka, first.topic, [("k", 1)], partition=1)
    async with asyncio.timeout(SOON):
        assert [each.offset for each in (await consumer.getmany(timeout_ms=10_000))[second]] == [0]
        assert [each.offset for each in (await consumer.getmany(timeout_ms=10_000))[second]] == [1]


async def test_who_stops_does_not_wait_for_it(waiting: Waiting) -> None:
    consumer, _, _ = waiting
    async with asyncio.timeout(SOON):
        await consumer.stop()
