"""Batches are compressed where they lie, however they were sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from contracts import inbound
from servicekit.kafka.inside_aiokafka import decoding
from servicekit.kafka.inside_aiokafka.decompressing import LZ4
from support.ledger import produce, read_all


async def test_the_broker_compresses_and_what_is_read_is_what_was_written(
    kafka: str, make_topic: Callable[..., Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    codecs, decompressed = [], decoding.decompressed

    def noted(codec: int, data: memoryview) -> bytes:
        codecs.append(codec)
        return decompressed(codec, data)

    monkeypatch.setattr(decoding, "decompressed", noted)
    topic, value = (
        await make_topic("compressed", config=inbound.TOPIC.settings()),
        b'{"said": "%b"}' % (b"hello " * 200),
    )
    await produce(kafka, topic, [("a", value)])
    assert [record.value for record in await read_all(kafka, topic)] == [value]
    assert codecs == [LZ4]
