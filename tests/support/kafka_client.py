"""Another company's program: confluent-kafka with its defaults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from uuid import uuid4

from confluent_kafka import Consumer, Producer

from contracts import cloudevents


async def produce_command(kafka: Mapping[str, str], topic: str, value: bytes, token: str, id: str) -> None:
    """One command record, acknowledged. `kafka`: librdkafka's settings. RuntimeError if Kafka refuses it."""
    attributes = cloudevents.headers(id=id, type="command", source="shop", time=cloudevents.now_text())
    headers: dict[str, str | bytes | None] = {**dict(attributes), "authorization": f"Bearer {token}"}
    failures: list[str] = []
    producer = Producer(dict(kafka))
    producer.produce(
        topic,
        value=value,
        key=id,
        headers=headers,
        on_delivery=lambda error, _: failures.append(str(error)) if error else None,
    )
    left = await asyncio.to_thread(producer.flush, 20)
    if left or failures:
        raise RuntimeError(f"the command was not accepted by Kafka: {failures}")


async def consume_until(
    kafka: Mapping[str, str], topic: str, wanted: str, project: str, seconds: float = 20
) -> list[str]:
    """The `ce_type` of a project's records from the start until `wanted` came. AssertionError when it does not."""
    return await asyncio.to_thread(_consume_until, kafka, topic, wanted, project, seconds)


def _consume_until(kafka: Mapping[str, str], topic: str, wanted: str, project: str, seconds: float) -> list[str]:
    consumer = Consumer({**kafka, "group.id": str(uuid4()), "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    seen: list[str] = []
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for record in consumer.consume(500, timeout=0.1):
                headers = list(dict(record.headers() or {}).items())
                if cloudevents.header(headers, cloudevents.PROJECT) == project:  # type: ignore[arg-type]  # all are bytes
                    seen.append(str(cloudevents.header(headers, "ce_type")))  # type: ignore[arg-type]
            if wanted in seen:
                return seen
    finally:
        consumer.close()
    raise AssertionError(f"no {wanted} among {seen}")
