"""Standard Webhooks 1.0 signatures: HMAC-SHA256 over `id.timestamp.body`, one per valid secret. Pure."""

from __future__ import annotations

import hmac
from binascii import b2a_base64
from functools import lru_cache


def signature(keys: tuple[bytes, ...], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. `timestamp` is unix seconds of this attempt."""
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    return " ".join(["v1," + _base64_of(key, signed) for key in keys])


def _base64_of(key: bytes, signed: bytes) -> str:
    made = _begun(key).copy()
    made.update(signed)
    return b2a_base64(made.digest(), newline=False).decode()


@lru_cache(maxsize=1024)
def _begun(key: bytes) -> hmac.HMAC:
    """What all signatures with that key begin with, which is half of what one costs."""
    return hmac.new(key, digestmod="sha256")
