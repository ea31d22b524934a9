"""A webhook receiver that uses as little CPU as possible: it counts and times what arrives and always answers 204.

`python -m bench.sink PORT` prints the port it has and serves until it is killed. GET /arrivals gives and forgets
`{"count", "first", "last", "by_id": {event id: time.monotonic()}}`.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import Any

import httptools
import orjson
import uvloop

EVENT_ID = re.compile(rb'"event_id":"([^"]+)"')
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


class Arrivals:
    """What came since it was last asked for."""

    def __init__(self) -> None:
        self.count, self.first, self.last = 0, 0.0, 0.0
        self.by_id: dict[str, float] = {}

    def add(self, body: bytes) -> None:
        now = time.monotonic()
        self.first = self.first or now
        self.last = now
        self.count += 1
        if found := EVENT_ID.search(body):
            self.by_id.setdefault(found.group(1).decode(), now)

    def taken(self) -> bytes:
        answer = orjson.dumps({"count": self.count, "first": self.first, "last": self.last, "by_id": self.by_id})
        self.__init__()  # type: ignore[misc]
        return answer


class SinkProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._parser: Any = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        if self._parser.get_method() == b"GET":
            answer = self._arrivals.taken()
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(answer) + answer)
            return
        self._arrivals.add(body)
        self._transport.write(NO_CONTENT)


async def serve(port: int) -> None:
    """Serve until cancelled."""
    arrivals = Arrivals()
    server = await asyncio.get_running_loop().create_server(lambda: SinkProtocol(arrivals), "127.0.0.1", port)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
