"""The gateway's connections to services: kept while they are of use, one request at a time, bodies passed on as they come.

httptools alone parses what comes; a general client takes several times as long for a request, which at 200 requests a
second beside all services on two cores is what an event waits for.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

CONNECT_SECONDS = 5.0
IDLE_SECONDS = 15.0
"""An unused connection is not used again after so long, before a service closes it."""
MOST_BUFFERED = 256 * 1024
"""Bytes of an answer that wait for its caller; the service waits beyond."""

RawHeaders = list[tuple[bytes, bytes]]


class NoAnswer(Exception):
    """The service is not there, ended the connection before it answered, or said what is no HTTP/1.1. `unheard`: the
    connection had been used before and nothing came, so the service may just have given it up."""

    def __init__(self, reason: str, *, unheard: bool = False) -> None:
        super().__init__(reason)
        self.unheard = unheard


class BrokenOff(Exception):
    """The answer has no end."""


class Upstream(asyncio.Protocol):
    """One connection. The order of calls: `write` (as often as the request has parts), `head`, `body` to its end."""

    def __init__(self) -> None:
        self._transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpResponseParser(self)
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._ended = self._held_back = False
        self._used = 0
        self.idle_since = 0.0
        self.begin("GET")

    def begin(self, method: str) -> None:
        """Another request begins."""
        self._headless = method == "HEAD"
        """Its answer has no body, whatever its head says; the parser cannot know."""
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._status, self._headers = 0, RawHeaders()
        self._heard = self._head_done = self._complete = self._until_close = False
        self._used += 1

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return self._complete and not self._ended and not self._transport.is_closing()

    def close(self) -> None:
        """End it at once; who waits for its answer hears that there is none."""
        self._ended = True
        self._transport.abort()
        self._news.set()
        self._writable.set()

    async def write(self, data: bytes) -> None:
        """Send a part of the request, once there is room for it; nothing when the connection has ended."""
        if not self._ended:
            self._transport.write(data)
            await self._writable.wait()

    async def head(self) -> tuple[int, RawHeaders]:
        """Status and headers of the answer. Raises NoAnswer."""
        while not self._head_done:
            if self._ended:
                raise NoAnswer("the connection ended", unheard=self._used > 1 and not self._heard)
            await self._more()
        return self._status, self._headers

    async def body(self) -> AsyncIterator[tuple[bytes, bool]]:
        """What has come of the body, and whether more follows. Raises BrokenOff."""
        while True:
            if self._chunks or self._complete:
                part = b"".join(self._chunks)
                self._chunks.clear()
                self._buffered = 0
                self._go_on_reading()
                yield part, not self._complete
                if self._complete and not self._chunks:
                    return
            elif self._ended:
                raise BrokenOff
            else:
                await self._more()

    def _go_on_reading(self) -> None:
        if self._held_back and not self._ended:
            self._held_back = False
            self._transport.resume_reading()

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._complete:  # Nothing was asked.
            self.close()
            return
        self._heard = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()
        if self._buffered > MOST_BUFFERED and not (self._ended or self._held_back):
            self._held_back = True
            self._transport.pause_reading()
        self._news.set()

    def connection_lost(self, error: Exception | None) -> None:
        self._complete = self._complete or (self._head_done and self._until_close and error is None)
        self._ended = True
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools' callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_done:  # A trailer is no header.
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        if self._status < 200:
            return
        names = {name for name, _ in self._headers}
        framed = b"content-length" in names or b"transfer-encoding" in names
        self._until_close = not framed and self._status not in (204, 304)
        self._head_done = True
        if self._headless:
            self._complete = self._ended = True
            self._transport.abort()

    def on_body(self, chunk: bytes) -> None:
        if not self._headless:
            self._chunks.append(chunk)
            self._buffered += len(chunk)

    def on_message_complete(self) -> None:
        if self._status < 200:  # An interim answer; the real one follows.
            self._headers = RawHeaders()
        elif not self._until_close:
            self._complete = True
            if not self._parser.should_keep_alive():
                self._ended = True
                self._transport.close()


class Upstreams:
    """The connections to all services."""

    def __init__(self) -> None:
        self._idle: dict[str, list[Upstream]] = defaultdict(list)

    async def take(self, base: str, *, fresh: bool = False) -> Upstream:
        """A connection to the service at this URL, the one used last or a new one. Raises NoAnswer."""
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        idle = self._idle[base]
        while idle and not fresh:
            kept = idle.pop()
            if kept.reusable and kept.idle_since > oldest:
                return kept
            kept.close()
        return await _connect(base)

    def give(self, upstream: Upstream, base: str) -> None:
        """A request has its answer, or will not get it."""
        if upstream.reusable:
            upstream.idle_since = asyncio.get_running_loop().time()
            self._idle[base].append(upstream)
        else:
            upstream.close()

    def close(self) -> None:
        """End what is kept."""
        for upstream in (each for kept in self._idle.values() for each in kept):
            upstream.close()
        self._idle.clear()


async def _connect(base: str) -> Upstream:
    place = urlsplit(base)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, made = await asyncio.get_running_loop().create_connection(
                Upstream, place.hostname or "", place.port or 80
            )
    except (OSError, TimeoutError) as error:
        raise NoAnswer(str(error) or "no connection in time") from None
    return cast(Any, made)  # type: ignore[no-any-return]
