"""How records come out of FastStream: in batches, as Kafka has them, so that none of them can fail before it is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiokafka import ConsumerRecord
from faststream.kafka import KafkaBroker, KafkaRouter, Topic
from faststream.message import StreamMessage

Kafka = KafkaBroker | KafkaRouter
Records = tuple[ConsumerRecord[Any, Any], ...]
Batch = StreamMessage[Records]
LARGEST_BATCH = 100
POLL_MS = 50
"""How long FastStream looks for records, and how long it rests when there are none."""


async def undecoded(records: Records, original: Callable[[Records], Awaitable[Batch]]) -> Batch:
    """FastStream's parser decodes each header: at one that is not UTF-8 the whole batch would fail, again and again."""
    message = await original(tuple(replace(record, headers=()) for record in records))
    message.raw_message = records
    return message


async def as_it_is(message: Batch) -> Batch:
    """A decoder that leaves the records to the handler."""
    return message


def read_batches(kafka: Kafka, topic: str, take: Callable[[Any], Awaitable[None]], **options: Any) -> Any:
    """The subscriber of a topic that is never made by it. `take` gets a `Batch`, `options` are those of FastStream."""
    subscriber: Any = kafka.subscriber(
        Topic(topic, declare=False),
        batch=True,
        max_records=LARGEST_BATCH,
        batch_timeout_ms=POLL_MS,
        # aiokafka: who was without a partition for longer than this never gets one again.
        max_poll_interval_ms=2**31 - 1,
        parser=undecoded,
        decoder=as_it_is,
        no_reply=True,
        **options,
    )
    subscriber(take)
    return subscriber
