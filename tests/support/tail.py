"""What a topic holds: read once, and from then on only what is new."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from aiokafka import TopicPartition

from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.consumers import partitions_of
from servicekit.kafka.records import Record


class Tail:
    """`async with Tail(kafka, topic) as tail:` and then `await tail.records()` whenever it matters."""

    def __init__(self, kafka: str, topic: str) -> None:
        """`topic` as it is called on the cluster."""
        self._topic = topic
        self._consumer = make_consumer(Cluster(kafka), client_id="test")
        self._found: dict[TopicPartition, list[Record]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        numbers = await partitions_of(self._consumer, self._topic)
        self._found = {TopicPartition(self._topic, number): [] for number in sorted(numbers)}
        self._consumer.assign(list(self._found))
        for tp, start in (await self._consumer.beginning_offsets(list(self._found))).items():
            self._consumer.seek(tp, start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()

    async def records(self) -> list[Record]:
        """All records that were written before the call, partition by partition."""
        async with self._one_at_a_time:
            ends = await self._consumer.end_offsets(list(self._found))
            while [tp for tp, end in ends.items() if await self._consumer.position(tp) < end]:
                for tp, records in (await self._consumer.getmany(timeout_ms=200)).items():
                    self._found[tp] += records
        return [record for records in self._found.values() for record in records]


class Tails:
    """A tail for each topic that is asked for."""

    def __init__(self, kafka: str) -> None:
        self._kafka = kafka
        self._tails: dict[str, Tail] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(tail.__aexit__(kind, error, trace) for tail in self._tails.values()))

    async def records(self, topic: str) -> list[Record]:
        """All records of a topic, by its name on the cluster, that were written before the call."""
        if topic not in self._tails:
            self._tails[topic] = await Tail(self._kafka, topic).__aenter__()
        return await self._tails[topic].records()
