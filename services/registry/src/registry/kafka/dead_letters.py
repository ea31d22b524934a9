"""The dead-letter topics of all services, read when an operator asks, and the way back of a record from one of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from contracts import actions, commands, dlq, events, findings, inbound
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.consumers import close, partitions_of
from servicekit.kafka.publisher import NotAcknowledged, Publisher, TooLarge, check_sizes
from servicekit.kafka.records import Outgoing, Record
from servicekit.kafka.undisturbed import undisturbed
from servicekit.web.problems import ProblemError, unavailable

KAFKA_SECONDS = 10.0
MOST_READ = 1000
"""Records that one page reads; a page may have fewer items than were asked for, and still a next one."""
OURS = ("dlq-", "src-")
"""Prefixes of headers that are not the original's, or name a place in a log that the released record does not have."""

RELEASABLE = frozenset(module.TOPIC.name for module in (actions, events, findings, inbound))
"""Topics that a released record may go back to."""


class Place(NamedTuple):
    """Where a dead letter lies; `service` is one of contracts.dlq.SERVICES."""

    service: str
    partition: int
    offset: int

    @property
    def id(self) -> str:
        """As the API calls it."""
        return f"{self.service}.{self.partition}.{self.offset}"


class Letter(NamedTuple):
    """A dead letter."""

    place: Place
    record: Record

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What tells it from every other, also from one in a topic that was made anew."""
        return (*self.place, self.record.timestamp)


def place_of(id: str) -> Place | None:
    """The place that an id names; None for a text that is no id."""
    service, *numbers = id.split(".")
    if service not in dlq.SERVICES or len(numbers) != 2:
        return None
    if not all(number.isascii() and number.isdecimal() and len(number) < 19 for number in numbers):
        return None
    return Place(service, *map(int, numbers))


class DeadLetters:
    """Opens a consumer for each question: an operator asks seldom. One question at a time."""

    def __init__(self, cluster: Cluster, publisher: Publisher, instance: str) -> None:
        self._cluster, self._publisher, self._client_id = cluster, publisher, f"dead-letters-{instance}"
        self._one_at_a_time = asyncio.Lock()

    async def after(self, service: str, last: Place | None, limit: int) -> list[Letter]:
        """The letters of a service that come after `last` (None: all), by partition and offset.

        Raises ProblemError 503 while Kafka cannot be asked.
        """
        async with self._reading() as consumer:
            found: list[Letter] = []
            for partition in await self._partitions(consumer, service):
                if last is not None and partition < last.partition:
                    continue
                offset = last.offset + 1 if last is not None and partition == last.partition else 0
                found += await self._read(consumer, Place(service, partition, offset), limit - len(found))
            return found

    async def find(self, place: Place) -> Letter | None:
        """The letter at a place; None when none lies there (any more)."""
        async with self._reading() as consumer:
            if place.partition not in await self._partitions(consumer, place.service):
                return None
            found = await self._read(consumer, place, 1)
        return found[0] if found and found[0].place == place else None

    async def publish(self, record: Outgoing) -> None:
        """Write a released record. Raises ProblemError 503 when Kafka did not take it."""
        try:
            await self._publisher.publish(record)
        except NotAcknowledged as error:
            raise unavailable("Kafka did not take the record; release it again.") from error

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AIOKafkaConsumer]:
        async with self._one_at_a_time:
            consumer = make_consumer(self._cluster, client_id=self._client_id, read_committed=True)
            try:
                await undisturbed(consumer.start(), KAFKA_SECONDS)
                yield consumer
            except (KafkaError, TimeoutError, OSError) as error:
                raise unavailable("Kafka cannot be asked for dead letters.") from error
            finally:
                await close(consumer)

    async def _partitions(self, consumer: AIOKafkaConsumer, service: str) -> list[int]:
        name = self._cluster.named(dlq.topic_for(service).name)
        return sorted(await undisturbed(partitions_of(consumer, name), KAFKA_SECONDS))

    async def _read(self, consumer: AIOKafkaConsumer, start: Place, limit: int) -> list[Letter]:
        """The letters of one partition from `start` on."""
        tp = TopicPartition(self._cluster.named(dlq.topic_for(start.service).name), start.partition)
        begin = (await undisturbed(consumer.beginning_offsets([tp]), KAFKA_SECONDS))[tp]
        end = (await undisturbed(consumer.end_offsets([tp]), KAFKA_SECONDS))[tp]
        at, found = max(begin, start.offset), list[Letter]()
        consumer.assign([tp])
        consumer.seek(tp, at)
        while at < end and len(found) < limit:
            fetched = await undisturbed(consumer.getmany(timeout_ms=250, max_records=limit), KAFKA_SECONDS)
            for record in fetched.get(tp, []):
                found.append(Letter(Place(start.service, start.partition, record.offset), record))
            at = await undisturbed(consumer.position(tp), KAFKA_SECONDS)
        return found[:limit]


def released(letter: Letter) -> Outgoing:
    """The original record once more, for the topic that it came from. Raises ProblemError 409 where it lacks a part."""
    headers = dict(letter.record.headers)
    topic = (headers.get(dlq.ORIGINAL_TOPIC) or b"").decode(errors="replace")
    if topic == commands.TOPIC.name:
        detail = "A command's authorization is not kept. Send the command again, with its token."
        raise ProblemError("not-releasable", 409, "Not releasable", detail)
    if topic not in RELEASABLE:
        raise ProblemError("not-releasable", 409, "Not releasable", "It does not name a topic that a service reads.")
    if (cut := headers.get(dlq.CUT)) is not None:
        detail = f"It was too large for a dead letter and is not whole any more ({cut.decode(errors='replace')} bytes)."
        raise ProblemError("not-releasable", 409, "Not releasable", detail)
    kept = [(name, value or b"") for name, value in letter.record.headers if not name.startswith(OURS)]
    made = Outgoing(topic, letter.record.key, letter.record.value, kept)
    try:
        check_sizes([made])
    except TooLarge as error:
        raise ProblemError("not-releasable", 409, "Not releasable", f"{error}.") from error
    return made
