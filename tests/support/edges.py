"""What clients send that is unusual, allowed or hostile, and how it is answered: for each server of ours alike."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator

import orjson
from starlette.types import Receive, Scope, Send

from servicekit.web.problems import ProblemError
from servicekit.web.requests import Inflated
from servicekit.web.server import Listening

BODY = b'{"a": 1}'
H2C = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAA\r\n"
"""What Java's client adds to a plain request."""
LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = b"transfer-encoding: chunked\r\n"
LAST = b"connection: close\r\n"
GZIPPED = gzip.compress(BODY)


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it got, or why that is refused."""
    try:
        await _tell(scope, receive, send)
    except ProblemError as refusal:
        await refusal.response()(scope, receive, send)


async def _tell(scope: Scope, receive: Receive, send: Send) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body += message["body"]
        more = message["more_body"]
    headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
    seen = {
        "method": scope["method"],
        "target": (scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")).decode(),
        "host": headers.pop("host", None),
        "headers": headers,
        "body": body.decode("latin-1"),
    }
    content = orjson.dumps(seen)
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(content))]}
    await send(start)
    await send({"type": "http.response.body", "body": content})


@contextlib.asynccontextmanager
async def telling() -> AsyncIterator[int]:
    """`told` as services are served; its port."""
    listening = Listening(Inflated(told))
    yield await listening.start("127.0.0.1", 0)
    await listening.stop()


async def exchange(port: int, *parts: bytes) -> bytes:
    """All that comes back to these bytes until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            return await reader.read()
        return b""
    finally:
        writer.close()


def seen_in(raw: bytes) -> dict[str, object]:
    """What `told` said, out of the last answer."""
    head, _, body = raw.rpartition(b"\r\n\r\n")
    assert b"HTTP/1.1 200" in head, raw
    found: dict[str, object] = orjson.loads(body)
    return found
