"""An HTTP server that answers with given bytes, for what a proper one would not send."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(raw: bytes) -> Answer:
    """Write these bytes and close."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return answer


def response(body: bytes = b"ok", *headers: bytes, status: bytes = b"200 OK") -> Answer:
    """A proper response."""
    lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
    return says(b"\r\n".join(lines) + b"\r\n\r\n" + body)


class RawServer:
    """`requests` are the raw heads and bodies that came in, `connections` how many were opened."""

    def __init__(self, answer: Answer, *, keep_alive: bool) -> None:
        self.answer, self.keep_alive = answer, keep_alive
        self.requests: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._handlers: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        handler = asyncio.current_task()
        assert handler is not None
        self._handlers.add(handler)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    self.requests.append(await _request(reader))
                    await self.answer(writer)
                    if not self.keep_alive:
                        break
        finally:
            writer.close()

    async def close(self) -> None:
        """End all connections, answered or not."""
        for handler in self._handlers:
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return head + await reader.readexactly(int(line.split(b":")[1]))
    return head


@contextlib.asynccontextmanager
async def raw_server(
    answer: Answer, *, keep_alive: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawServer]:
    """Listens on a free port of 127.0.0.1 while the block runs."""
    made = RawServer(answer, keep_alive=keep_alive)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=tls)
    made.port = listening.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        listening.close()
        await made.close()
