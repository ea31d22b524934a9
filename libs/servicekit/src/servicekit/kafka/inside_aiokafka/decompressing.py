"""A compressed batch as bytes that are not, and never more of them than MOST.

Kafka bounds a batch as it is sent: 4 MB of it (contracts.topic.RECORD_LIMIT) may be 4 GB of gzip and more than 100 GB of zstd,
and whoever may write to a topic may send that. aiokafka decompresses a batch whole, before its first record is looked at.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from types import ModuleType

import cramjam

MOST = 32 * 1024 * 1024
"""Bytes of a batch when it is decompressed: eight of the largest records that a producer of ours may write."""
FIRST_BUFFER = 64 * 1024
GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
"""The codecs, as a batch names them."""
_GZIP_FRAME = 31
_XERIAL, _XERIAL_HEADER = b"\x82SNAPPY\x00", 16
"""How the Java client frames Snappy: a header, then blocks with their lengths before them."""


class Unreadable(Exception):
    """These bytes cannot be decompressed, or would be too many; a sentence."""


def decompressed(codec: int, data: memoryview) -> bytes:
    """Raises Unreadable."""
    try:
        if codec == GZIP:
            return _gunzipped(data)
        if codec == SNAPPY:
            return _unsnapped(data)
        return _unpacked(cramjam.lz4 if codec == LZ4 else cramjam.zstd, data)
    except (zlib.error, cramjam.DecompressionError) as error:
        raise Unreadable(f"the batch that it came in cannot be decompressed: {error}") from error


def _gunzipped(data: memoryview) -> bytes:
    parts, left, rest = list[bytes](), MOST + 1, bytes(data)
    while rest:
        stream = zlib.decompressobj(_GZIP_FRAME)
        part = stream.decompress(rest, left)
        parts.append(part)
        left -= len(part)
        if left <= 0:
            raise _too_large()
        if not stream.eof:
            raise Unreadable("the batch that it came in is cut off")
        rest = stream.unused_data
    return b"".join(parts)


def _unsnapped(data: memoryview) -> bytes:
    blocks = list(_blocks(data))
    if sum(cramjam.snappy.decompress_raw_len(block) for block in blocks) > MOST:
        raise _too_large()
    return b"".join(bytes(cramjam.snappy.decompress_raw(block)) for block in blocks)


def _blocks(data: memoryview) -> Iterator[bytes]:
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        yield bytes(data)
        return
    at = _XERIAL_HEADER
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        yield bytes(data[at + 4 : at + 4 + size])
        at += 4 + size


def _unpacked(codec: ModuleType, data: memoryview) -> bytes:
    """Into a buffer of a fixed size, and into a larger one where that is too small."""
    packed, size = bytes(data), max(FIRST_BUFFER, 4 * len(data))
    while True:
        buffer = bytearray(min(size, MOST))
        try:
            written: int = codec.decompress_into(packed, buffer)
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise
            if len(buffer) == MOST:
                raise _too_large() from error
            size *= 8
        else:
            return bytes(memoryview(buffer)[:written])


def _too_large() -> Unreadable:
    return Unreadable(f"the batch that it came in has more than {MOST} bytes when it is decompressed")
