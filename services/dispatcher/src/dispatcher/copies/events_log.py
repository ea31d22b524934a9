"""Events once more: what was applied and is not copied is read from its own log, in no group."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from contracts import events
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import consumers
from servicekit.kafka.records import Record
from servicekit.kafka.undisturbed import to_its_end

AT_ONCE = 500
"""Records of one reading at most."""
WAIT_MS = 2_000
ANSWER_SECONDS = 15.0

log = structlog.get_logger()


class Reading(NamedTuple):
    """Some of the records of a span, and the offset behind them. `lost`: offsets that retention has taken away before they
    were read."""

    records: list[Record]
    next_offset: int
    lost: int = 0


class EventsLog:
    """One consumer for all who have something to read again, one reading at a time. Nothing is open before it is needed."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster, self._client_id = cluster, client_id
        self._topic = cluster.named(events.TOPIC.name)
        self._turn = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def read(self, part: int, first: int, last: int) -> Reading:
        """The records from `first` on, as many as come at once, none beyond `last`. Raises KafkaError, OSError."""
        async with self._turn:
            try:
                return await self._read(TopicPartition(self._topic, part), first, last)
            except BaseException:
                await self._close()
                raise

    async def close(self) -> None:
        """Let go of Kafka until the next reading."""
        async with self._turn:
            await self._close()

    async def _read(self, place: TopicPartition, first: int, last: int) -> Reading:
        consumer = await self._started()
        if consumer.assignment() != {place}:
            consumer.assign([place])
        consumer.seek(place, first)
        try:
            found = await consumer.getmany(place, timeout_ms=WAIT_MS, max_records=AT_ONCE)
        except OffsetOutOfRangeError:
            return await self._out_of_range(consumer, place, first, last)
        records = [each for each in found.get(place, ()) if first <= each.offset <= last]
        if not records:
            return await self._out_of_range(consumer, place, first, last)
        return Reading(records, records[-1].offset + 1)

    async def _out_of_range(self, consumer: AIOKafkaConsumer, place: TopicPartition, first: int, last: int) -> Reading:
        """Where the log begins later, or ends before: what is not there any more is not waited for."""
        begin = (await to_its_end(consumer.beginning_offsets([place]), ANSWER_SECONDS))[place]
        end = (await to_its_end(consumer.end_offsets([place]), ANSWER_SECONDS))[place]
        if first < begin:
            return Reading([], min(begin, last + 1), min(begin, last + 1) - first)
        return Reading([], last + 1, last + 1 - first) if first >= end else Reading([], first)

    async def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            self._consumer = make_consumer(self._cluster, client_id=self._client_id)
            await to_its_end(self._consumer.start(), ANSWER_SECONDS)
        return self._consumer

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumers.close(consumer)
