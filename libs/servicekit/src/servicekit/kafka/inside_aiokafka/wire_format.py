"""Kafka's messages as bytes, and back: what aiokafka does field by field, done in runs.

aiokafka encodes each integer by itself, with three calls. That was a fifth of a service's CPU at 200 events a second. Here
neighbouring fields of fixed size are one `struct`, and so is each item of an array of such. The bytes are the same.
Messages with fields of another kind (compact strings, tags) are left to aiokafka.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from typing import Any, NamedTuple

from aiokafka.protocol import types
from aiokafka.protocol.struct import Struct

Encode = Callable[[Any], bytes]
Decode = Callable[[bytes, int], tuple[Any, int]]
"""From the buffer, beginning there: the value, and where it ends. Raises ValueError, struct.error for a buffer too short."""

FIXED: dict[Any, str] = {
    types.Boolean: "?",
    types.Int8: "b",
    types.Int16: "h",
    types.Int32: "i",
    types.UInt32: "I",
    types.Int64: "q",
    types.Float64: "d",
}
"""Kinds of fields that always take the same bytes, as `struct` calls them."""
_INT16, _INT32 = struct.Struct(">h"), struct.Struct(">i")
_encode, _decode = Struct.encode, Struct.decode.__func__


class Codec(NamedTuple):
    """Both ways of a field, an item of an array, or all fields of a message."""

    encode: Encode
    decode: Decode


def encode(self: Any) -> bytes:
    """In place of `Struct.encode`."""
    schema = self.SCHEMA
    codec = codec_of(schema)
    if codec is None:
        return bytes(_encode(self))
    named = self.__dict__
    return codec.encode([named[name] for name in schema.names])


def decode(cls: Any, data: BytesIO | bytes) -> Any:
    """In place of `Struct.decode`; what follows is left in `data`."""
    codec = codec_of(cls.SCHEMA)
    if codec is None:
        return _decode(cls, data)
    if isinstance(data, bytes):
        return cls(*codec.decode(data, 0)[0])
    values, end = codec.decode(data.getvalue(), data.tell())
    data.seek(end)
    return cls(*values)


@cache
def codec_of(kind: Any) -> Codec | None:
    """Of a schema (a sequence of its values in, a tuple of them out) or of a kind of field; None for what is left to aiokafka."""
    if kind in FIXED:
        return _of_one(struct.Struct(">" + FIXED[kind]))
    if kind is types.Bytes:
        return Codec(_bytes_encoded, _bytes_decoded)
    if type(kind) is types.String and kind.encoding == "utf-8":
        return Codec(_string_encoded, _string_decoded)
    if type(kind) is types.Schema:
        return _of_schema(kind)
    if type(kind) is types.Array:
        item = codec_of(kind.array_of)
        return item and Codec(_array_encoder(item.encode), _array_decoder(item.decode))
    return None


def _of_schema(schema: types.Schema) -> Codec | None:
    encoders: list[tuple[slice | int, Encode]] = []
    decoders: list[tuple[bool, Decode]] = []
    for first, kinds in _runs(schema.fields):
        is_run = kinds[0] in FIXED
        codec = _of_run(kinds) if is_run else codec_of(kinds[0])
        if codec is None:
            return None
        encoders.append((slice(first, first + len(kinds)) if is_run else first, codec.encode))
        decoders.append((is_run, codec.decode))
    if len(encoders) == 1 and decoders[0][0]:
        return Codec(encoders[0][1], decoders[0][1])

    def read(buffer: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values: list[Any] = []
        for is_run, part in decoders:
            value, at = part(buffer, at)
            if is_run:
                values += value
            else:
                values.append(value)
        return tuple(values), at

    return Codec(lambda values: b"".join([part(values[where]) for where, part in encoders]), read)


def _runs(kinds: Sequence[Any]) -> list[tuple[int, list[Any]]]:
    """Neighbours of fixed size together, each other field by itself; with the place of the first."""
    runs: list[tuple[int, list[Any]]] = []
    for place, kind in enumerate(kinds):
        if kind in FIXED and runs and runs[-1][1][-1] in FIXED:
            runs[-1][1].append(kind)
        else:
            runs.append((place, [kind]))
    return runs


def _of_run(kinds: Sequence[Any]) -> Codec:
    run = struct.Struct(">" + "".join(FIXED[kind] for kind in kinds))
    pack, unpack, size = run.pack, run.unpack_from, run.size
    return Codec(lambda values: pack(*values), lambda buffer, at: (unpack(buffer, at), at + size))


def _of_one(fixed: struct.Struct) -> Codec:
    unpack, size = fixed.unpack_from, fixed.size
    return Codec(fixed.pack, lambda buffer, at: (unpack(buffer, at)[0], at + size))


def _array_encoder(item: Encode) -> Encode:
    def encoded(items: Sequence[Any] | None) -> bytes:
        if items is None:
            return _INT32.pack(-1)
        return b"".join([_INT32.pack(len(items)), *map(item, items)])

    return encoded


def _array_decoder(item: Decode) -> Decode:
    def decoded(buffer: bytes, at: int) -> tuple[list[Any] | None, int]:
        (length,) = _INT32.unpack_from(buffer, at)
        at += 4
        if length == -1:
            return None, at
        items = []
        for _ in range(length):
            value, at = item(buffer, at)
            items.append(value)
        return items, at

    return decoded


def _bytes_encoded(value: bytes | None) -> bytes:
    return _INT32.pack(-1) if value is None else _INT32.pack(len(value)) + value


def _string_encoded(value: str | None) -> bytes:
    if value is None:
        return _INT16.pack(-1)
    encoded = str(value).encode()
    return _INT16.pack(len(encoded)) + encoded


def _bytes_decoded(buffer: bytes, at: int) -> tuple[bytes | None, int]:
    return _cut(buffer, at + 4, _INT32.unpack_from(buffer, at)[0])


def _string_decoded(buffer: bytes, at: int) -> tuple[str | None, int]:
    value, end = _cut(buffer, at + 2, _INT16.unpack_from(buffer, at)[0])
    return None if value is None else value.decode(), end


def _cut(buffer: bytes, at: int, length: int) -> tuple[bytes | None, int]:
    if length < 0:
        return None, at
    if at + length > len(buffer):
        raise ValueError(f"{length} bytes are announced, {len(buffer) - at} are there")
    return buffer[at : at + length], at + length


def install() -> None:
    """Put both in their places."""
    Struct.encode = encode
    Struct.decode = classmethod(decode)
