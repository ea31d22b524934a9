"""Who calls: comparisons in constant time, of texts, digests and signatures."""

from __future__ import annotations

import hmac
from hashlib import sha256

_NOTHING = sha256(b"").hexdigest()


def same_text(given: str, expected: str | None) -> bool:
    """Whether it is that secret; never when there is none."""
    found = hmac.compare_digest(given.encode("utf-8", "replace"), (expected or "").encode())
    return found and bool(expected)


def has_digest(given: str, digest: str | None) -> bool:
    """Whether the text (latin-1, as headers are) has that SHA-256 in hex; never when there is none."""
    found = hmac.compare_digest(sha256(given.encode("latin-1", "replace")).hexdigest(), digest or _NOTHING)
    return found and digest is not None


def is_signed(body: bytes, signature: str, key: str | None) -> bool:
    """Whether `signature` is the HMAC-SHA256 in hex of the raw body under the key; never when there is none."""
    made = hmac.new((key or "").encode(), body, sha256).hexdigest()
    return hmac.compare_digest(made.encode(), signature.encode("utf-8", "replace")) and bool(key)
