"""The SDK on a real Kafka: what is committed when, what comes again, and where a command goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream.kafka import KafkaBroker

from contracts import cloudevents, commands, events
from contracts.partitioner import partition_for
from support.waiting import eventually
from switchhook_sdk import CloudEvent, OutcomeUnknown, Switchhook, data

PROJECT = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
ANN = {"channel_id": "c-1", "peer_id": "104117781"}
MakeTopic = Callable[..., Awaitable[str]]
Received = CloudEvent[data.MessageReceivedData]


class Place:
    """This test's topics, and what is written there."""

    def __init__(self, kafka: str, prefix: str, producer: AIOKafkaProducer) -> None:
        self.kafka, self.prefix, self._producer = kafka, prefix, producer

    def program(self, **options: Any) -> Switchhook:
        """Another process of the same program."""
        return Switchhook(KafkaBroker(self.kafka), project=PROJECT, group="crm", topic_prefix=self.prefix, **options)

    async def tell(
        self, type: str, id: str, told: dict[str, Any], partition: int = 0, *broken: tuple[str, bytes]
    ) -> None:
        """Write an event, as a service does; `broken`: more headers."""
        now = cloudevents.now_text()
        headers = cloudevents.headers(id=id, type=type, source="switchhook/test", time=now, project=PROJECT)
        value = events.Event(type=type, timestamp=now, data=told).encode()
        topic = self.prefix + events.TOPIC.name
        await self._producer.send_and_wait(topic, value, partition=partition, headers=[*headers, *broken])

    async def receive(self, id: str, partition: int = 0, *broken: tuple[str, bytes]) -> None:
        """A person wrote."""
        await self.tell("message.received", id, {"message": {"id": id, "type": "text"}}, partition, *broken)


@pytest.fixture
async def place(kafka: str, topic_prefix: str, make_topic: MakeTopic) -> AsyncIterator[Place]:
    await make_topic(events.TOPIC.name, partitions=2, config={"compression.type": "lz4"})
    await make_topic(commands.TOPIC.name, partitions=6)
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    yield Place(kafka, topic_prefix, producer)
    await producer.stop()


@contextlib.asynccontextmanager
async def running(switchhook: Switchhook) -> AsyncIterator[None]:
    try:
        await switchhook.broker.start()
        yield
    finally:
        await switchhook.broker.stop()


async def test_what_failed_comes_again_in_its_order_and_the_other_partition_goes_on(place: Place) -> None:
    switchhook, tried = place.program(), list[str]()

    @switchhook.events("message.received")
    async def received(event: Received) -> None:
        tried.append(event.id)
        if event.id == "bad" and (tried.count("bad") == 1 or "elsewhere" not in tried):
            raise ConnectionError("the CRM is away")

    for id, partition in (("good", 0), ("bad", 0), ("behind", 0), ("elsewhere", 1)):
        await place.receive(id, partition)
    async with running(switchhook):
        await eventually(lambda: "behind" in tried)
    assert tried.count("elsewhere") == 1
    tried.remove("elsewhere")
    assert tried == ["good", *["bad"] * (len(tried) - 2), "behind"]
    assert len(tried) > 3


async def test_a_restarted_program_goes_on_behind_what_it_has_handled(place: Place) -> None:
    async def handled_by(switchhook: Switchhook, wanted: str) -> list[str]:
        seen = list[str]()

        @switchhook.events("message.received")
        async def received(event: Received) -> None:
            seen.append(event.id)

        async with running(switchhook):
            await eventually(lambda: wanted in seen)
        return seen

    await place.receive("one")
    await place.receive("two")
    assert await handled_by(place.program(), "two") == ["one", "two"]
    await place.receive("three")
    assert await handled_by(place.program(), "three") == ["three"]


async def test_a_program_that_is_stopped_finishes_its_event_and_leaves_the_next(place: Place) -> None:
    first, second = place.program(), place.program()
    begun, may_end, seen = asyncio.Event(), asyncio.Event(), list[str]()

    @first.events("message.received")
    async def slow(event: Received) -> None:
        begun.set()
        await may_end.wait()

    @second.events("message.received")
    async def received(event: Received) -> None:
        seen.append(event.id)

    await place.receive("one")
    await place.receive("two")
    await first.broker.start()
    await begun.wait()
    stopping = asyncio.create_task(first.broker.stop())
    await eventually(lambda: not any(each.running for each in first.broker.subscribers))
    may_end.set()
    await stopping
    async with running(second):
        await eventually(lambda: seen)
    assert seen == ["two"]


async def test_a_header_that_is_not_utf8_stops_nothing(place: Place) -> None:
    switchhook, seen = place.program(), list[str]()

    @switchhook.events("message.received")
    async def received(event: Received) -> None:
        seen.append(event.id)

    await place.receive("unreadable", 0, ("ce_id", b"\xff"))
    await place.receive("odd but ours", 0, ("x-other", b"\xff"))
    async with running(switchhook):
        await eventually(lambda: seen)
    assert seen == ["odd but ours"]


async def test_a_command_has_its_persons_partition_and_its_outcome_is_heard(place: Place) -> None:
    switchhook = place.program()
    shop = switchhook.commands("swh_secret", source="shop")
    topic = place.prefix + commands.TOPIC.name
    async with running(switchhook), reading(place.kafka, topic) as consumer:
        waiting = asyncio.create_task(shop.start(bot="b-1", person=ANN, flow="order", id="order-17", wait=10))
        record = await consumer.getone()
        told = {"command": {"kind": "start", "id": "order-17"}, "status": "started"}
        await place.tell("command.accepted", "e-1", told, 1)
        assert (await waiting).status == "started"
        with pytest.raises(OutcomeUnknown):
            await shop.start(bot="b-1", person=ANN, flow="order", id="order-18", wait=0.1)
        repeat = await consumer.getone()
    headers = dict(record.headers)
    assert (headers["authorization"], headers["ce_id"], headers["ce_source"]) == (
        b"Bearer swh_secret",
        b"order-17",
        b"shop",
    )
    assert record.partition == repeat.partition == partition_for(record.key, 6)


@contextlib.asynccontextmanager
async def reading(kafka: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    yield consumer
    await consumer.stop()
