"""A server that is no good: `POST /refused` is answered 404 at once, any other path 204 after 20 seconds.

`python -m bench.refusing` prints the port it has and serves until it is killed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httptools
import uvloop

SLOW_SECONDS = 20.0
REFUSED = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class RefusingProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url = url

    def on_message_complete(self) -> None:
        if self._url == b"/refused":
            self._transport.write(REFUSED)
        else:
            asyncio.get_running_loop().call_later(SLOW_SECONDS, self._answer_at_last)

    def _answer_at_last(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(NO_CONTENT)


async def serve() -> None:
    """Serve until cancelled."""
    server = await asyncio.get_running_loop().create_server(RefusingProtocol, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
