"""Keys of deliveries and leases, of the class that the database driver gives: equal to the standard library's, made and written as text
in a tenth of its time (docs/performance.md)."""

from __future__ import annotations

from hashlib import sha1
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from asyncpg.pgproto import pgproto

_NAMESPACE = uuid5(NAMESPACE_URL, "urn:switchhook:delivery").bytes


def key_of(id: str) -> UUID:
    """An action's id as a key. Raises ValueError for a text that is no UUID."""
    return pgproto.UUID(id)


def new_key() -> UUID:
    """A random one."""
    return pgproto.UUID(uuid4().bytes)


def derived_key(event_id: str, endpoint_id: str) -> UUID:
    """`uuid5` of the two: a delivery's id and the `webhook-id` of every attempt. A repeated event makes no second delivery."""
    digest = bytearray(sha1(_NAMESPACE + f"{event_id}/{endpoint_id}".encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50  # Version and variant, RFC 9562 4.1 and 4.2.
    digest[8] = digest[8] & 0x3F | 0x80
    return pgproto.UUID(bytes(digest))
