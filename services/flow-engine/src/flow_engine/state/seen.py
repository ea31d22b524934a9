"""Event ids that a conversation has already applied: 8-byte hashes, kept 8 days, at most 512, in its row. Pure.

Entries are `>QH` (hash, day since 1970), oldest first; an event's day is its record's, so a replay stores the same bytes.
"""

from __future__ import annotations

import struct
from hashlib import blake2b

KEEP_DAYS = 8
LIMIT = 512
_ENTRY = struct.Struct(">8sH")
_SIZE = _ENTRY.size
DAY_MS = 86_400_000


def fingerprint(event_id: str) -> bytes:
    """The 8 bytes that stand for an event id."""
    return blake2b(event_id.encode(), digest_size=8).digest()


def contains(seen: bytes, mark: bytes) -> bool:
    """Whether that fingerprint is among the entries (a match across two entries is not one)."""
    at = seen.find(mark)
    while at > 0 and at % _SIZE:
        at = seen.find(mark, at + 1)
    return at >= 0


def remember(seen: bytes, mark: bytes, at_ms: int) -> bytes:
    """The entries with one more, without those that are too old or too many."""
    today = at_ms // DAY_MS
    drop = max(0, len(seen) - (LIMIT - 1) * _SIZE)
    while drop < len(seen) and int.from_bytes(seen[drop + 8 : drop + 10], "big") < today - KEEP_DAYS:
        drop += _SIZE
    return seen[drop:] + _ENTRY.pack(mark, today)
