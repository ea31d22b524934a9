"""What a consumer and a publisher of ours meet at a broker: one suite, on the log in memory and on Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing, Record

PARTITIONS = 4


class Broker(Protocol):
    """One with an empty topic of PARTITIONS partitions."""

    topic: str
    publisher: KafkaPublisher

    def make_consumer(self, instance: str) -> Any:
        """Not started, of one group, sessions of SESSION_SECONDS."""
        ...


_open: list[Any] = []


async def checked(check: Callable[[Broker], Awaitable[None]], broker: Broker) -> None:
    """Do it; every consumer that it made is stopped, whatever it finds."""
    try:
        await check(broker)
    finally:
        for consumer in _open:
            await consumer.stop()
        _open.clear()


class Reading(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member: `has` are its partitions, `taken_on` how often it got some, `got` what it has read."""

    def __init__(self, broker: Broker, instance: str) -> None:
        self.consumer, self.topic = broker.make_consumer(instance), broker.topic
        _open.append(self.consumer)
        self.has: set[int] = set()
        self.taken_on = 0
        self.got: list[Record] = []

    async def start(self) -> Reading:
        await self.consumer.start()
        self.consumer.subscribe([self.topic], listener=self)
        return self

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self.has = set()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self.has, self.taken_on = {tp.partition for tp in assigned}, self.taken_on + 1
        for part in self.has:
            self.consumer.seek(TopicPartition(self.topic, part), 0)

    async def read(self, timeout_ms: int = 200) -> list[Record]:
        found = await self.consumer.getmany(timeout_ms=timeout_ms, max_records=500)
        records = [record for some in found.values() for record in some]
        self.got += records
        return records

    def tp(self, part: int) -> TopicPartition:
        return TopicPartition(self.topic, part)


async def until(done: Callable[[], bool], *readers: Reading) -> None:
    """Read on until it is so."""
    async with asyncio.timeout(20):
        while not done():
            await asyncio.gather(*(each.read(50) for each in readers))
            await asyncio.sleep(0.02)


def written(topic: str, count: int, part: int = 0) -> list[Outgoing]:
    return [Outgoing(topic, b"k%d" % number, b"%d" % number, [("n", b"%d" % number)], part) for number in range(count)]


async def what_is_written_is_read_in_order(broker: Broker) -> None:
    await broker.publisher.publish_many(written(broker.topic, 20))
    assert await broker.publisher.publish(Outgoing(broker.topic, b"k", b"last", [], 0)) == 20
    reading = await Reading(broker, "a").start()
    await until(lambda: len(reading.got) == 21, reading)
    assert [record.offset for record in reading.got] == list(range(21))
    assert reading.got[3][4:7] == (b"k3", b"3", (("n", b"3"),))
    assert reading.consumer.highwater(reading.tp(0)) == 21
    assert await reading.consumer.beginning_offsets([reading.tp(0)]) == {reading.tp(0): 0}
    assert await reading.consumer.end_offsets([reading.tp(0), reading.tp(1)]) == {reading.tp(0): 21, reading.tp(1): 0}
    assert reading.consumer.partitions_for_topic(broker.topic) == set(range(PARTITIONS))


async def what_is_paused_waits_and_a_seek_is_obeyed(broker: Broker) -> None:
    await broker.publisher.publish_many([*written(broker.topic, 5, 0), *written(broker.topic, 5, 1)])
    reading = await Reading(broker, "a").start()
    await until(lambda: len(reading.got) == 10, reading)
    reading.consumer.pause(reading.tp(0))
    reading.consumer.seek(reading.tp(0), 2)
    reading.consumer.seek(reading.tp(1), 3)
    reading.got.clear()
    await until(lambda: len(reading.got) == 2, reading)
    assert {(record.partition, record.offset) for record in reading.got} == {(1, 3), (1, 4)}
    assert await reading.read(300) == []
    reading.consumer.resume(reading.tp(0))
    await until(lambda: len(reading.got) == 5, reading)
    assert [record.offset for record in reading.got[2:]] == [2, 3, 4]


async def a_position_behind_the_end_is_said(broker: Broker) -> None:
    await broker.publisher.publish_many(written(broker.topic, 5))
    reading = await Reading(broker, "a").start()
    await until(lambda: len(reading.got) == 5, reading)
    reading.consumer.seek(reading.tp(0), 9)
    with pytest.raises(OffsetOutOfRangeError) as said:
        await until(lambda: False, reading)
    assert said.value.args[0] == {reading.tp(0): 9}


async def members_share_the_partitions(broker: Broker) -> None:
    one = await Reading(broker, "a").start()
    await until(lambda: len(one.has) == PARTITIONS, one)
    two = await Reading(broker, "b").start()
    await until(lambda: len(one.has) == len(two.has) == PARTITIONS // 2, one, two)
    assert one.has | two.has == set(range(PARTITIONS))
    await one.consumer.stop()
    await until(lambda: len(two.has) == PARTITIONS, two)


async def a_static_member_that_comes_again_disturbs_nobody(broker: Broker) -> None:
    one, two = await Reading(broker, "a").start(), await Reading(broker, "b").start()
    await until(lambda: len(one.has) == len(two.has) == PARTITIONS // 2, one, two)
    had, before = set(two.has), one.taken_on
    await two.consumer.stop()
    again = await Reading(broker, "b").start()
    await until(lambda: again.has == had, one, again)
    assert (one.taken_on, len(one.has)) == (before, PARTITIONS // 2)


CHECKS: tuple[Callable[[Broker], Awaitable[None]], ...] = (
    what_is_written_is_read_in_order,
    what_is_paused_waits_and_a_seek_is_obeyed,
    a_position_behind_the_end_is_said,
    members_share_the_partitions,
    a_static_member_that_comes_again_disturbs_nobody,
)
