"""Standard Webhooks 1.0 signatures: HMAC-SHA256 over `id.timestamp.body`, one per valid secret. Pure."""

from __future__ import annotations

import hmac
from base64 import b64encode


def signature(keys: tuple[bytes, ...], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`. `timestamp` is unix seconds of this attempt."""
    signed = b"%b.%d.%b" % (webhook_id.encode(), timestamp, body)
    return " ".join("v1," + b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys)
