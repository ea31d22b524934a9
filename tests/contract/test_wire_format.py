"""Our encoding of Kafka's messages is aiokafka's, byte for byte, for every message that it has."""

from __future__ import annotations

import importlib
import pkgutil
import random
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from aiokafka import protocol
from aiokafka.protocol import types
from aiokafka.protocol.struct import Struct

from servicekit.kafka.inside_aiokafka import wire_format

for _module in pkgutil.iter_modules(protocol.__path__):
    importlib.import_module(f"aiokafka.protocol.{_module.name}")

INTEGERS = {types.Int8: 8, types.Int16: 16, types.Int32: 32, types.Int64: 64}


def messages(base: type = Struct) -> Iterator[Any]:
    for each in base.__subclasses__():
        yield from messages(each)
        if each.__module__.startswith("aiokafka") and len(each.SCHEMA):
            yield each


def value(kind: Any, chance: random.Random) -> Any:
    """Anything that such a field may have."""
    if kind in INTEGERS:
        bits = INTEGERS[kind]
        return chance.choice([0, -1, 1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1))])
    if kind is types.UInt32:
        return chance.choice([0, 2**32 - 1])
    if kind is types.Boolean:
        return chance.random() < 0.5
    if kind is types.Float64:
        return chance.random()
    if kind is types.Bytes:
        return chance.choice([None, b"", chance.randbytes(300)])
    if isinstance(kind, types.String):
        return chance.choice([None, "", "größe"])
    if isinstance(kind, types.Schema):
        return tuple(value(each, chance) for each in kind.fields)
    if isinstance(kind, types.Array):
        return chance.choice([None, *([value(kind.array_of, chance) for _ in range(size)] for size in (0, 1, 5))])
    raise AssertionError(kind)


KNOWN = [message for message in dict.fromkeys(messages()) if wire_format.codec_of(message.SCHEMA) is not None]


@pytest.mark.parametrize("message", KNOWN, ids=lambda message: message.__name__)
def test_the_bytes_are_the_same(message: Any) -> None:
    whole = message.__init__ is Struct.__init__ and message.encode is Struct.encode
    codec = wire_format.codec_of(message.SCHEMA)
    assert codec is not None
    for seed in range(8):
        values = value(message.SCHEMA, random.Random(seed))
        theirs = message.SCHEMA.encode(values)
        assert codec.encode(values) == theirs
        if not whole:
            continue
        behind = BytesIO(b"before" + theirs + b"behind")
        behind.seek(6)
        assert codec.decode(theirs, 0) == (message.SCHEMA.decode(BytesIO(theirs)), len(theirs))
        read = vars(wire_format.decode(message, behind))
        assert [read[name] for name in message.SCHEMA.names] == list(values)
        assert wire_format.encode(message(*values)) == theirs
        assert behind.read() == b"behind"


def test_the_messages_of_every_record_are_among_them() -> None:
    names = {message.__name__ for message in KNOWN}
    assert {
        "FetchRequest_v11",
        "FetchResponse_v11",
        "ProduceRequest_v8",
        "ProduceResponse_v8",
        "RequestHeader_v1",
    } <= names


def test_what_is_cut_off_is_refused() -> None:
    """By the connection, which is closed then."""
    codec = wire_format.codec_of(types.Schema(("a", types.Bytes)))
    assert codec is not None
    with pytest.raises(ValueError, match=r"^5 bytes are announced, 2 are there$"):
        codec.decode(b"\0\0\0\5ab", 0)
