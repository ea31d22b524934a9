"""Records as they come from Kafka and as they go to it, and the bytes in which an outbox row keeps the latter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import msgspec

from contracts import cloudevents, dlq
from contracts.topic import DLQ_RECORD_LIMIT

Headers = Sequence[tuple[str, bytes | None]]
ERROR_LIMIT = 1024
"""Longest error message in a dead letter, bytes."""
LETTER_LIMIT = DLQ_RECORD_LIMIT - 1024
"""A dead letter's bytes by `size_of`: a batch of one record has less than 1 KiB besides."""
CUT_HEADERS, CUT_NAME, CUT_HEADER_VALUE, CUT_KEY = 64, 128, 1024, 256 * 1024
"""How many headers a letter that has to be cut keeps, of names of so many characters and values of so many bytes, and
bytes of the key. The value gets the rest."""
DIGITS = 18
"""Of an offset or an ordinal: what a bigint holds."""
_PLAIN_ID = re.compile(rb"[!-~]{1,200}")
_TOPIC_NAME = re.compile(rb"[A-Za-z0-9._-]{1,249}")
_INCARNATION = re.compile(rb"[A-Za-z0-9_~-]{1,64}")
NEVER_COPIED = frozenset({"authorization"})


class Record(NamedTuple):
    """One record of a topic. `timestamp` is the broker's, milliseconds. A header's name is text, its value bytes or null.

    A header whose name is not UTF-8 comes first: BAD_NAME, then the name with backslash escapes for the bad bytes.
    `leader_epoch`: under which leader the partition had it written; -1 where that is not known.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    leader_epoch: int = -1


BAD_NAME = "\ufffd"
BAD_BATCH = f"{BAD_NAME}batch"
"""The header of a record that stands for a whole batch which cannot be read; its value says why."""


class Outgoing(NamedTuple):
    """One record to be written. Without `partition` the key decides (murmur2), without a key any partition will do."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    partition: int | None = None


class Source(NamedTuple):
    """The record that caused another one, and the number of that effect (guarantees.md 2.5).

    `incarnation`: the id of its topic, None when the writer did not know it.
    """

    topic: str
    partition: int
    offset: int
    ordinal: int
    incarnation: str | None = None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Outgoing])


def pack_outgoing(records: list[Outgoing]) -> bytes:
    """The payload of an outbox row."""
    return _encoder.encode(records)


def unpack_outgoing(payload: bytes) -> list[Outgoing]:
    """The records of an outbox row's payload. Raises msgspec.DecodeError when it is none."""
    return _decoder.decode(payload)


def record_id(record: Record) -> str:
    """What tells a record from any other that may lie at its offset: its `ce_id`, or else a checksum of what it holds."""
    checksum = 0
    for name, value in record.headers:
        if name == "ce_id" and value:
            if _PLAIN_ID.fullmatch(value):
                return value.decode()
            checksum = crc32(value)  # Not a text that Postgres takes, or too long to keep.
    return f"crc32:{crc32(record.value or b'', crc32(record.key or b'', checksum)):08x}"


def source_of(headers: Mapping[str, bytes | None]) -> Source | None:
    """The source that a record's headers name; None when they name none, or not a readable one."""
    topic = headers.get(cloudevents.SOURCE_TOPIC)
    if topic is None:
        return None
    try:
        name, partition, incarnation = _origin(
            topic, headers[cloudevents.SOURCE_PARTITION], headers.get(cloudevents.SOURCE_INCARNATION)
        )
        offset = _number(headers[cloudevents.SOURCE_OFFSET])
        return Source(name, partition, offset, _number(headers[cloudevents.SOURCE_INDEX]), incarnation)
    except (KeyError, ValueError):
        return None


@lru_cache(maxsize=4096)
def _origin(topic: bytes, partition: bytes | None, incarnation: bytes | None) -> tuple[str, int, str | None]:
    """What all records of a source partition have in common. Raises ValueError for what is none."""
    if not _TOPIC_NAME.fullmatch(topic) or not (incarnation is None or _INCARNATION.fullmatch(incarnation)):
        raise ValueError("no topic, or no incarnation")
    return topic.decode(), _number(partition), None if incarnation is None else incarnation.decode()


def _number(digits: bytes | None) -> int:
    if digits is None or len(digits) > DIGITS or not digits.isdigit():
        raise ValueError("not a number")
    return int(digits)


def examine(record: Record) -> tuple[Source | None, str | None]:
    """The record's source, and why its headers cannot be read (a sentence, None when they can). Runs for every record."""
    if not record.headers:
        return None, None
    headers = dict(record.headers)
    try:
        plain = b"".join(headers.values()).isascii()  # type: ignore[arg-type]
    except TypeError:
        plain = False
    if not plain or record.headers[0][0].startswith(BAD_NAME):
        return None, bad_header(record.headers)
    return source_of(headers), None


def bad_header(headers: Headers) -> str | None:
    """Why these headers cannot be read, as a sentence: a name or a value that is not UTF-8, a null."""
    for name, value in headers:
        if name == BAD_BATCH:
            return (value or b"").decode("utf-8", "replace")
        if name.startswith(BAD_NAME):
            return f"the header name {name[1:]} is not UTF-8"
        if value is None:
            return f"the header {name} is null"
        try:
            value.decode()
        except UnicodeDecodeError:
            return f"the header {name} is not UTF-8"
    return None


def size_of(record: Outgoing) -> int:
    """An upper bound of the record's size in a batch, bytes."""
    size = 128 + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        size += len(name) * 4 + len(value) + 10
    return size


def dead_letter(service: str, record: Record, code: str, message: str, *, attempts: int = 1) -> Outgoing:
    """The record as it goes to the service's dead-letter topic, its reason in the headers; cut where it would not fit."""
    kept = [(name, value or b"") for name, value in record.headers if name.lower() not in NEVER_COPIED]
    reason = [
        (dlq.ORIGINAL_TOPIC, record.topic.encode()),
        (dlq.ORIGINAL_PARTITION, b"%d" % record.partition),
        (dlq.ORIGINAL_OFFSET, b"%d" % record.offset),
        (dlq.ORIGINAL_TIMESTAMP, b"%d" % record.timestamp),
        (dlq.ERROR_CODE, code.encode()),
        (dlq.ERROR_MESSAGE, _shortened(message)),
        (dlq.ATTEMPTS, b"%d" % attempts),
    ]
    letter = Outgoing(dlq.topic_for(service).name, record.key, record.value, [*kept, *reason])
    return letter if size_of(letter) <= LETTER_LIMIT else _cut(letter, kept, reason)


def _shortened(message: str) -> bytes:
    """No more than ERROR_LIMIT bytes, and no part of a character."""
    cut = message[:ERROR_LIMIT].encode("utf-8", "backslashreplace")[:ERROR_LIMIT]
    return cut.decode("utf-8", "ignore").encode()


def _cut(letter: Outgoing, kept: list[tuple[str, bytes]], reason: list[tuple[str, bytes]]) -> Outgoing:
    """Headers and key first: the value says most about what the record was."""
    cut = []
    headers = [(name[:CUT_NAME], value[:CUT_HEADER_VALUE]) for name, value in kept[:CUT_HEADERS]]
    if headers != kept:
        cut.append(b"headers %d" % sum(len(name.encode()) + len(value) for name, value in kept))
    key, value = letter.key, letter.value
    if key is not None and len(key) > CUT_KEY:
        cut.append(b"key %d" % len(key))
        key = key[:CUT_KEY]
    about = [*headers, *reason, (dlq.CUT, b", ".join([*cut, b"value %d" % len(value or b"")]))]
    room = LETTER_LIMIT - size_of(Outgoing(letter.topic, key, None, about))
    if value is None or len(value) <= room:
        about[-1] = (dlq.CUT, b", ".join(cut))
    return Outgoing(letter.topic, key, value and value[:room], about)
