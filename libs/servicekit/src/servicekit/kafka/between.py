"""Reads a part of a log once, without a group: from one offset to another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record

READ_SECONDS = 10.0
"""Of a partition; and one more for each 1,000 offsets."""
Ranges = Mapping[int, tuple[int, int]]
"""Partition -> the first offset, and the one before which reading ends."""


def _every(_record: Record) -> bool:
    return True


async def read_between(
    cluster: Cluster, topic: str, ranges: Ranges, wanted: Callable[[Record], bool] = _every
) -> list[Record]:
    """What the log still has of it and is `wanted`, in order within each partition. Raises KafkaError, TimeoutError when a partition is not
    read in time, and with the same words when it loses what is being read."""
    consumer = make_consumer(cluster, client_id="switchhook-operator")
    try:
        await consumer.start()
        return [
            each
            for part, range in ranges.items()
            for each in await _read(consumer, cluster, topic, part, *range, wanted)
        ]
    finally:
        await consumer.stop()


async def _read(
    consumer: AIOKafkaConsumer,
    cluster: Cluster,
    topic: str,
    part: int,
    first: int,
    limit: int,
    wanted: Callable[[Record], bool],
) -> list[Record]:
    partition = TopicPartition(cluster.named(topic), part)
    consumer.assign([partition])
    start = (await consumer.beginning_offsets([partition]))[partition]
    end = min((await consumer.end_offsets([partition]))[partition], limit)
    found: list[Record] = []
    consumer.seek(partition, max(start, first))
    try:
        async with asyncio.timeout(READ_SECONDS + (end - first) / 1000):
            while await consumer.position(partition) < end:
                fetched = await consumer.getmany(partition, timeout_ms=200)
                found += [
                    record
                    for records in fetched.values()
                    for record in records
                    if record.offset < limit and wanted(record)
                ]
    except (TimeoutError, OffsetOutOfRangeError) as error:
        raise TimeoutError(f"{topic}/{part} could not be read from {first} to {limit}.") from error
    return found
