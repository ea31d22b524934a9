"""One client connection of HTTP/1.1: one request at a time, its answer bounded, parsed by httptools (llhttp).

Costs a fifth of what a general client takes for a request, which is most of what a delivery costs (ADR-0002). What it
leaves out on purpose: redirects, cookies, proxies, decompression, pipelining, upgrades, methods without a body in the
answer (HEAD).
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal, NamedTuple, cast

import httptools
from multidict import CIMultiDict

from servicekit.http_framing import OVERHEAD_LIMIT, VERSIONS, field_text, overhead

HEADERS_LIMIT, FIELD_LIMIT = 100, 8190
"""Of an answer's head: how many fields, bytes of one (and of the reason)."""

Failure = Literal["timeout", "disconnected", "bad-response"]


class Response(NamedTuple):
    """What came back. `truncated`: the body was longer than asked for, and the rest was not read."""

    status: int
    headers: CIMultiDict[str]
    body: bytes
    truncated: bool


class Refused(Exception):
    """An answer's head is beyond the limits, or says that the answer has another form than ours."""


class Connection(asyncio.Protocol):
    """`lost(connection)` is called when it ends while nobody waits for an answer."""

    def __init__(self, lost: Any) -> None:
        self._lost = lost
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[Response | Failure] | None = None
        self._limit = self._overhead = self._chunks = 0
        self._body = bytearray()
        self._begin()
        self._surplus = False
        self._deadline = self._looks_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.closed = False
        self.idle_since = 0.0

    def send(self, request: bytes, limit: int, deadline: float) -> asyncio.Future[Response | Failure]:
        """Write a request; done with its answer, the body at most `limit` bytes, or with why there is none. `deadline`: a
        moment of the monotonic clock."""
        self._limit, self._overhead, self._deadline = limit, 0, deadline
        self._begin()
        self._waiter = waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        if self._timer is None or deadline < self._looks_at:
            self._watch()
        return waiter

    def _watch(self) -> None:
        """Notice the deadline. A timer stays for the requests that follow: one for each would cost a twentieth of a delivery."""
        self._forget_timer()
        self._looks_at, left = self._deadline, max(0.0, self._deadline - time.monotonic())
        self._timer = asyncio.get_running_loop().call_later(left, self._look_at_the_clock)

    def _look_at_the_clock(self) -> None:
        self._timer = None
        if self._waiter is not None and time.monotonic() < self._deadline:
            self._watch()
        elif self._waiter is not None:
            self._end("timeout")

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        return not (self.closed or self._surplus or self._transport.is_closing())

    def abort(self) -> None:
        """Close at once."""
        self.closed = True
        self._forget_timer()
        if self._transport is not None:
            self._transport.abort()

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.abort()  # Nothing was asked.
            return
        had, self._chunks = len(self._body), 0
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end("bad-response")  # 101, too: no other protocol was offered.
            return
        if self._waiter is not None:
            self._overhead += overhead(data, len(self._body) - had, self._chunks)
            if self._overhead > OVERHEAD_LIMIT:
                self._end("bad-response")

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        self._forget_timer()
        if self._waiter is None:
            self._lost(self)
        elif self._head_done and self._until_close:
            self._finish()
        else:
            self._end("disconnected")

    # httptools' callbacks

    def on_message_begin(self) -> None:
        self._surplus = self._waiter is None

    def on_status(self, reason: bytes) -> None:
        self._reason_bytes += len(reason)
        if self._reason_bytes > FIELD_LIMIT:
            raise Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # A trailer is no header.
        if len(name) + len(value) > FIELD_LIMIT or len(self._headers) >= HEADERS_LIMIT:
            raise Refused
        self._headers.add(name.decode("latin-1"), field_text(value))

    def on_headers_complete(self) -> None:
        self._status = self._parser.get_status_code()
        coded = "transfer-encoding" in self._headers
        if self._parser.get_http_version() not in VERSIONS or (coded and not self._only_chunked()):
            raise Refused  # The parser takes `gzip, chunked` for chunked, and would pass packed bytes on as the body.
        framed = coded or "content-length" in self._headers
        self._until_close = not framed and self._status not in (204, 304)
        self._head_done = self._status >= 200

    def _only_chunked(self) -> bool:
        return all(each.rstrip(" ").lower() == "chunked" for each in self._headers.getall("transfer-encoding"))

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, chunk: bytes) -> None:
        if self._waiter is None:
            return
        self._body += chunk
        if len(self._body) > self._limit:
            self._surplus = True
            self._finish(truncated=True)
            self.abort()

    def on_message_complete(self) -> None:
        if self._status < 200:
            self._begin()  # An interim answer; the real one follows.
        elif self._waiter is not None and not self._until_close:
            self._surplus = not self._parser.should_keep_alive()
            self._finish()

    def _begin(self) -> None:
        self._status, self._headers, self._reason_bytes = 0, CIMultiDict[str](), 0
        self._head_done = self._until_close = False
        if self._body:
            self._body = bytearray()

    def _finish(self, *, truncated: bool = False) -> None:
        body = bytes(self._body[: self._limit])
        self._resolve(Response(self._status, self._headers, body, truncated))

    def _end(self, failure: Failure) -> None:
        self._resolve(failure)
        self.abort()

    def _resolve(self, outcome: Response | Failure) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(outcome)
