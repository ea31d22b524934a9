"""What the client and the server of HTTP/1.1 have in common: how much may come that is no body, and a field's text."""

from __future__ import annotations

OVERHEAD_LIMIT = 64 * 1024
"""Bytes of a message that are not its body: heads, trailers, extensions of chunks."""
CHUNK_BYTES = 20
"""Of a chunk's frame that are not counted: its size in hexadecimal digits and two line ends."""
VERSIONS = ("1.1", "1.0")


def overhead(data: bytes, body_bytes: int, chunks: int) -> int:
    """How many of these bytes count, when so many of them were the body's and so many chunks began in them."""
    return max(0, len(data) - body_bytes - chunks * CHUNK_BYTES)


def field_text(value: bytes) -> str:
    """A field's value, which may be any bytes: UTF-8, else Latin-1, which RFC 9110 (5.5) names as what it once was.

    Never a text with lone surrogates: those can neither be written as JSON nor stored.
    """
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
