"""Headers of requests that somebody writes: which names they may set."""

from __future__ import annotations

import re

MOST_HEADERS = 32
CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})
OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "idempotency-key"})
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


def header_name(name: str) -> str:
    """A name that may be set. Raises ValueError, with what to do."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if name.lower() in CREDENTIALS:
        raise ValueError(f"{name} is a credential: make a secret and name it in auth")
    if name.lower() in OURS or name.lower().startswith("webhook-"):
        raise ValueError(f"{name} is set by the sender")
    return name
