"""Kafka's default partitioner (murmur2), as the Java client has it: every client must agree on a key's partition."""

from __future__ import annotations

from functools import lru_cache
from struct import unpack

_SEED, _M, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF
_HEAD = 36
"""Bytes with which many keys begin alike: a bot's id."""


def murmur2(data: bytes) -> int:
    """The 32-bit murmur2 of `org.apache.kafka.common.utils.Utils.murmur2`, as an unsigned integer."""
    length = len(data)
    whole = length & ~3
    h = (
        _mixed(_begun(data[:_HEAD], length), data[_HEAD:whole])
        if whole > _HEAD
        else _mixed(_SEED ^ length, data[:whole])
    )
    tail = data[whole:]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return h ^ h >> 15


def _mixed(h: int, words: bytes) -> int:
    """`h` after these words of four bytes."""
    for k in unpack(f"<{len(words) >> 2}I", words):
        k = k * _M & _MASK
        h = h * _M & _MASK ^ (k ^ k >> 24) * _M & _MASK
    return h


@lru_cache(maxsize=4096)
def _begun(head: bytes, length: int) -> int:
    """After the first words of a key of this length, which are most of the work and the same for all keys of a bot."""
    return _mixed(_SEED ^ length, head)


def partition_for(key: bytes, partitions: int) -> int:
    """The partition a keyed record goes to."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
