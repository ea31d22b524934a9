"""Records that no well-behaved client writes."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

from aiokafka import AIOKafkaProducer
from aiokafka.producer import message_accumulator
from aiokafka.record.default_records import _DefaultRecordBatchBuilderPy


class RawName(str):
    """A header name with these very bytes."""

    raw: bytes

    def __new__(cls, raw: bytes) -> RawName:
        made = super().__new__(cls, "x" * len(raw))
        made.raw = raw
        return made

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return self.raw


Raw = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]
"""Key, value, headers."""


async def produce_raw(
    kafka: str,
    topic: str,
    records: Sequence[Raw],
    *,
    partition: int = 0,
    compression: str | None = None,
    largest: int = 5 << 20,
) -> None:
    """Write these records as one batch of at most `largest` bytes before it is compressed, with aiokafka's Python encoder,
    which asks the name for its bytes."""
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka, max_batch_size=largest, max_request_size=largest, compression_type=compression
    )
    await producer.start()
    try:
        with mock.patch.object(message_accumulator, "DefaultRecordBatchBuilder", _DefaultRecordBatchBuilderPy):
            batch = producer.create_batch()
        for key, value, headers in records:
            assert batch.append(timestamp=None, key=key, value=value, headers=list(headers)) is not None
        await (await producer.send_batch(batch, topic, partition=partition))
    finally:
        await producer.stop()
