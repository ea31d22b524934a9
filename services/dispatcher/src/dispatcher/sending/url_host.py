"""The host of a URL as a destination's name. Pure; whether it may be called is the egress policy's business."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

LONGEST = 255


@lru_cache(maxsize=4096)
def host_of(url: str) -> str:
    """`host:port` in lower case, the scheme's port where none is given; `-` for what is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return "-"
    return f"{parts.hostname}:{port}"[:LONGEST] if parts.hostname else "-"
