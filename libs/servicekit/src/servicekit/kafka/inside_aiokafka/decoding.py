"""Records as our consumers hand them out, and no record can kill such a consumer.

aiokafka decodes header names as UTF-8 while it iterates; one that is not raises out of `getmany`, the records before it
are lost from the answer and the same fetch is met again for ever. Here such a name is escaped (records.BAD_NAME) and the
record goes to whoever reads. The two classes at the end take the place of aiokafka's own of the same names, the second
one's records only for consumers that are marked by `AsRecords`.

A compressed batch is decompressed here, within a bound. One that cannot be is a single record without key and value, at the
batch's last offset, whose header says why (records.BAD_BATCH).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.legacy_records import LegacyRecordBatch
from aiokafka.record.util import decode_varint

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.decompressing import Unreadable, decompressed
from servicekit.kafka.records import BAD_BATCH, BAD_NAME, Record

_LENGTH = struct.Struct(">i")
_LENGTH_AT, _OVERHEAD, _EPOCH_AT, _MAGIC_AT, _CODEC_AT, _HEADER = 8, 12, 12, 16, 22, 61
_CODEC = 0x07
"""The bits of that byte which name the codec."""


class AsRecords:
    """As `value_deserializer` marks a consumer as one of ours: its fetcher makes `Record`s."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __call__(self, value: bytes | None) -> bytes | None:
        return value


class _Raw(NamedTuple):
    """A decoded record, as aiokafka's fetcher takes it from a batch."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class _Batch:
    """A record batch that is decoded by aiokafka's compiled code, and by our own where that refuses a header name."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._fast: Any = DefaultRecordBatch(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fast, name)

    def __iter__(self) -> Iterator[Any]:
        data, fast = self._data, self._fast
        if codec := data[_CODEC_AT] & _CODEC:
            try:
                data = memoryview(_plain(codec, data))
            except Unreadable as error:
                yield self._unreadable(str(error))
                return
            fast = DefaultRecordBatch(data)
        try:
            yield from fast
        except (UnicodeDecodeError, CorruptRecordException):
            # From the batch's start again: the fetcher skips what it has had.
            yield from _leniently(data)

    def _unreadable(self, why: str) -> _Raw:
        batch = self._fast
        headers: list[tuple[str, bytes | None]] = [(BAD_BATCH, why.encode())]
        return _Raw(batch.next_offset - 1, batch.max_timestamp, batch.timestamp_type, None, None, headers)


def _plain(codec: int, data: memoryview) -> bytes:
    """The batch as if it had not been compressed, but for its checksum. Raises Unreadable."""
    records = decompressed(codec, data[_HEADER:])
    head = bytearray(data[:_HEADER])
    head[_CODEC_AT] &= ~_CODEC
    _LENGTH.pack_into(head, _LENGTH_AT, _HEADER - _OVERHEAD + len(records))
    return bytes(head) + records


class TolerantRecords:
    """In place of `MemoryRecords`: the batches of one partition's part of a fetch response."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.leader_epoch = -1
        """Under which leader the batch that was handed out last was written; -1 where batches do not say it."""
        self._at = 0
        self._end = self._slice_end()

    def size_in_bytes(self) -> int:
        """Bytes of the response, as aiokafka counts them."""
        return len(self._data)

    def has_next(self) -> bool:
        """Whether a whole batch is left."""
        return self._end is not None

    def next_batch(self) -> Any:
        """The next batch, None when none is left."""
        if self._end is None:
            return None
        data = self._data[self._at : self._end]
        self._at = self._end
        self._end = self._slice_end()
        magic = data[_MAGIC_AT]
        if magic < 2:
            return LegacyRecordBatch(data, magic)
        self.leader_epoch = int(_LENGTH.unpack_from(data, _EPOCH_AT)[0])
        batch = _Batch(data)
        return batch._fast if batch.is_control_batch else batch

    def _slice_end(self) -> int | None:
        """Where the next whole batch ends; the last one of a response may be cut off."""
        left = len(self._data) - self._at
        if left <= _MAGIC_AT:
            return None
        length = int(_LENGTH.unpack_from(self._data, self._at + _LENGTH_AT)[0])
        return self._at + _OVERHEAD + length if length + _OVERHEAD <= left else None


def _leniently(data: memoryview) -> Iterator[_Raw]:
    """All records of a batch, whatever its header names hold. Raises CorruptRecordException for another fault."""
    batch = _DefaultRecordBatchPy(data.tobytes())
    iter(batch)
    buffer, at = bytes(batch._buffer), batch._pos
    try:
        for _ in range(batch._num_records):
            record, at = _read_record(buffer, at, batch)
            yield record
    except (ValueError, IndexError) as error:
        raise CorruptRecordException(f"a record of the batch at {batch.base_offset} cannot be read") from error


def _read_record(buffer: bytes, at: int, batch: _DefaultRecordBatchPy) -> tuple[_Raw, int]:
    read: Callable[[bytes, int], tuple[int, int]] = decode_varint
    length, at = read(buffer, at)
    end = at + length
    _attributes, at = read(buffer, at)
    elapsed, at = read(buffer, at)
    step, at = read(buffer, at)
    key, at = _read_bytes(buffer, at)
    value, at = _read_bytes(buffer, at)
    count, at = read(buffer, at)
    headers = []
    for _ in range(count):
        name, at = _read_bytes(buffer, at)
        content, at = _read_bytes(buffer, at)
        headers.append((_name(name or b""), content))
    headers.sort(key=lambda header: not header[0].startswith(BAD_NAME))
    logged = batch.timestamp_type == batch.LOG_APPEND_TIME
    timestamp = batch.max_timestamp if logged else batch.first_timestamp + elapsed
    return _Raw(batch.base_offset + step, timestamp, batch.timestamp_type, key, value, headers), end


def _read_bytes(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    read: Callable[[bytes, int], tuple[int, int]] = decode_varint
    length, at = read(buffer, at)
    return (None, at) if length < 0 else (buffer[at : at + length], at + length)


def _name(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return BAD_NAME + raw.decode("utf-8", "backslashreplace")


class TolerantPartitionRecords(fetcher.PartitionRecords):  # type: ignore[misc]
    """In place of `PartitionRecords`: makes a `Record` for our consumers, aiokafka's ConsumerRecord for others."""

    def __init__(self, tp: Any, *about: Any) -> None:
        super().__init__(tp, *about)
        ours = self._value_deserializer
        self._topic = ours.cluster.own_name(tp.topic) if isinstance(ours, AsRecords) else None

    def __iter__(self) -> Iterator[Any]:
        """The generator itself: through `__next__` each record would cost a call more."""
        return iter(self._records_iterator or ())

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        if self._topic is None:
            return super()._consumer_record(tp, record)
        fields = (
            self._topic,
            tp.partition,
            record.offset,
            record.timestamp,
            record.key,
            record.value,
            tuple(record.headers),
            self._records.leader_epoch,
        )
        return tuple.__new__(Record, fields)  # A quarter of what Record(…) takes, which is a function of its own.


def install() -> None:
    """Put both classes in their places."""
    fetcher.MemoryRecords = TolerantRecords
    fetcher.PartitionRecords = TolerantPartitionRecords
