"""Batches as other programs compress them, and those that are made to take all memory."""

from __future__ import annotations

import contextlib
import gzip
from typing import Any

import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from servicekit.kafka.inside_aiokafka import decompressing
from servicekit.kafka.inside_aiokafka.decoding import TolerantRecords
from servicekit.kafka.inside_aiokafka.decompressing import GZIP, LZ4, SNAPPY, ZSTD, Unreadable, decompressed
from servicekit.kafka.records import Record, examine

CODECS = [
    pytest.param(codec, id=name) for name, codec in [("gzip", GZIP), ("snappy", SNAPPY), ("lz4", LZ4), ("zstd", ZSTD)]
]
XERIAL = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01"


def batch(codec: int, *values: bytes) -> bytes:
    """A batch as a producer writes it, at offsets from 0."""
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, 1_700_000_000_000, b"k", value, [("n", b"v")])
    return bytes(builder.build())


def read(data: bytes) -> list[Any]:
    records = TolerantRecords(data)
    found: list[Any] = []
    while (next_batch := records.next_batch()) is not None:
        assert next_batch.validate_crc()
        found += list(next_batch)
    return found


@pytest.mark.parametrize("codec", [pytest.param(0, id="none"), *CODECS])
def test_whatever_a_producer_compresses_with_is_read(codec: int) -> None:
    values = [b"%d" % number * 50_000 for number in range(3)]
    found = read(batch(codec, *values) + batch(codec, b"last"))
    assert [one.value for one in found] == [*values, b"last"]
    assert [(one.offset, one.key, list(one.headers)) for one in found[:3]] == [
        (n, b"k", [("n", b"v")]) for n in range(3)
    ]


@pytest.mark.parametrize("codec", CODECS)
def test_a_batch_that_would_take_all_memory_is_one_unreadable_record(
    codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decompressing, "MOST", 1 << 20)
    packed = batch(codec, bytes(1 << 20), b"and another")
    [found] = read(packed)
    assert (found.offset, found.key, found.value) == (1, None, None)
    _, problem = examine(Record("in", 0, found.offset, 0, found.key, found.value, tuple(found.headers)))
    assert problem == "the batch that it came in has more than 1048576 bytes when it is decompressed"
    assert len(read(batch(codec, bytes((1 << 20) - 200)))) == 1


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.binary(max_size=200))
def test_bytes_that_are_not_what_they_say_are_unreadable_and_nothing_else(codec: int, data: bytes) -> None:
    for each in (data, XERIAL + data, gzip.compress(data)[:-3]):
        with contextlib.suppress(Unreadable):
            assert isinstance(decompressed(codec, memoryview(each)), bytes)


def test_both_frames_of_snappy_and_several_members_of_gzip_are_read() -> None:
    block = bytes(cramjam.snappy.compress_raw(b"one"))
    framed = XERIAL + len(block).to_bytes(4, "big") + block
    assert decompressed(SNAPPY, memoryview(framed + framed[16:])) == b"oneone"
    assert decompressed(GZIP, memoryview(gzip.compress(b"one") * 2)) == b"oneone"
