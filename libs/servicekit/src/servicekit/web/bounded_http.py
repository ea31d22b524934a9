"""uvicorn's protocol over httptools, with bounds in bytes and in time, and an answer to what other clients really send.

httptools is strict about where a request ends, which request smuggling lives on. What it and uvicorn leave open is closed
here, before an application sees anything, and so alike in each service and in the development gateway: how much may come
that is no body, how long each part may take, offers to speak another protocol, versions, and the forms of a target.
"""

from __future__ import annotations

import asyncio
import re
from typing import Literal
from urllib.parse import unquote

import httptools
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from servicekit.http_framing import OVERHEAD_LIMIT, VERSIONS, overhead
from servicekit.web.exchange import Exchange
from servicekit.web.problems import ProblemError
from servicekit.web.requests import BODY_SECONDS, bad_request
from servicekit.web.unread_answers import UnreadAnswers

FIRST_BYTE_SECONDS = 30.0
"""From the connection to its first byte."""
HEAD_SECONDS = 10.0
"""From the first byte of a request to the end of its head."""
WHOLE_BODY_SECONDS = BODY_SECONDS + 5
"""From the head to the end of the body. A service that reads the body in time of its own answers before."""
KEEP_ALIVE_SECONDS = 65
"""Longer than a usual proxy keeps an idle connection, so that the proxy closes first and no request is lost in it."""

_OFFER = frozenset({b"upgrade", b"http2-settings"})
"""Headers that offer another protocol."""
_ABSOLUTE = re.compile(rb"https?://([^/?#@]+)(/[^?#]*)?(\?[^#]*)?(?:#.*)?", re.IGNORECASE)

TAKE_TIME = "switchhook.take_time"
"""In `extensions` of a request's scope: what has its body take as long as it likes, as long as something comes."""
CONNECTION = "switchhook.connection"
"""In `extensions`, too: what tells whether the connection has ended."""


def take_its_time(scope: Scope) -> None:
    """Of a request whose body is read as a stream: from now on it has WHOLE_BODY_SECONDS for each part, and not for the whole.

    While the application reads nothing, the client may wait as long.
    """
    if (extension := scope.get("extensions", {}).get(TAKE_TIME)) is not None:
        extension["take"]()


def has_gone(scope: Scope) -> bool:
    """Whether the connection has ended. Who has read no further than it can use is not told so by `receive`."""
    extension = scope.get("extensions", {}).get(CONNECTION)
    return extension is not None and extension["has_ended"]()


Part = Literal["first byte", "head", "body", "nothing"]
"""What a connection waits for; `nothing`: for the next request, perhaps with bytes that begin none."""
_SECONDS: dict[Part, float] = {
    "first byte": FIRST_BYTE_SECONDS, "head": HEAD_SECONDS, "body": WHOLE_BODY_SECONDS, "nothing": KEEP_ALIVE_SECONDS,
}  # fmt: skip


_unread = UnreadAnswers()


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    _in_head = _in_body = _ended = _over = _takes_time = False
    _overhead = _body_bytes = _chunks = _messages = 0
    _awaited: tuple[Part, int] | None = None
    _due = 0.0
    """When what is awaited is late, on the loop's clock."""
    _clock: asyncio.TimerHandle | None = None
    """Runs no later than `_due`, and then on where something else is awaited meanwhile: not one for each request."""

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await("first byte")

    def pause_writing(self) -> None:
        super().pause_writing()
        _unread.add(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        _unread.remove(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._await(None)
        self._stop_clock()
        _unread.remove(self.transport)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        self._body_bytes = self._chunks = 0
        self._ended = False
        self._feed(data)
        if self._over or self.transport.is_closing():
            self._await(None)
            return
        # What shares a piece of data with a request's end cannot be told from the next one's: it is small, and let through.
        if not self._ended:
            self._overhead += overhead(data, self._body_bytes, self._chunks)
            if self._overhead > OVERHEAD_LIMIT:
                self._refuse(bad_request(f"At most {OVERHEAD_LIMIT} bytes that are not the body."))
                return
        part = self._part()
        if part == "body" and self._takes_time:
            self._due = self.loop.time() + _SECONDS[part]
        self._await(part)

    # httptools' callbacks

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._overhead, self._takes_time = True, 0, False
        self._messages += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._in_head:
            return  # A trailer is no header: what was checked must not change while it is worked on.
        name = name.lower()  # From here as in uvicorn, written out because it is called for each header.
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        elif name == b"transfer-encoding" and value.rstrip(b" ").lower() != b"chunked":
            raise bad_request("Of transfer codings chunked alone is spoken here.")  # The parser undoes no other.
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        version = self.parser.get_http_version()
        if version not in VERSIONS:
            raise ProblemError("http-version", 505, "HTTP version not supported", "HTTP/1.1 is spoken here.")
        if not self.url.startswith(b"/"):
            self._read_absolute_form()
        self._in_head = False
        self._begin(version)
        self._in_body = True

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """A chunk begins."""
        self._chunks += 1

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_body, self._ended = False, True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The application has answered: the next request's turn, or of one that came meanwhile."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        self._await(self._part())

    # Reading

    def _begin(self, version: str) -> None:
        """Have the request answered, after those before it. As in uvicorn, without what is not used here."""
        target = httptools.parse_url(self.url)
        path = target.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = unquote(path) if "%" in path else path
        self.scope["raw_path"] = target.path
        self.scope["query_string"] = target.query or b""
        self.scope["extensions"] = {
            TAKE_TIME: {"take": self._take_time},
            CONNECTION: {"has_ended": self.transport.is_closing},
        }
        before, self.cycle = (
            self.cycle,
            Exchange(
                self.scope,
                self.transport,
                self.flow,
                self.logger,
                self.access_logger,
                False,
                self.server_state.default_headers,
                asyncio.Event(),
                self.expect_100_continue,
                version != "1.0" and self.parser.should_keep_alive(),
                self.on_response_complete,
            ),
        )
        if before is None or before.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def _feed(self, data: bytes) -> None:
        try:
            self._read(data)
        except httptools.HttpParserError as error:
            refusal = error.__context__
            self._refuse(refusal if isinstance(refusal, ProblemError) else bad_request("This is not HTTP/1.1."))
        except ProblemError as refusal:
            self._refuse(refusal)

    def _read(self, rest: bytes | memoryview) -> None:
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except httptools.HttpParserUpgrade as offer:
                rest = memoryview(rest)[offer.args[0] :]
            self._read_again()

    def _read_again(self) -> None:
        """Read the head without its offer to speak another protocol, which a server may pass over (RFC 9110, 7.8).

        The parser takes such a request to have no body, and what follows for the other protocol's. Java's client makes
        the offer (h2c) with each request unless told otherwise.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise bad_request("This is no proxy: CONNECT leads nowhere.")
        version = self.parser.get_http_version().encode()
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] not in _OFFER]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # As uvicorn's own.
        self.parser.feed_data(b"%b %b HTTP/%b\r\n%b\r\n" % (method, self.url, version, b"".join(kept)))

    def _read_absolute_form(self) -> None:
        """The target is a whole URL, as proxies are told: its authority stands above the Host header (RFC 9112, 3.2.2)."""
        target = _ABSOLUTE.fullmatch(self.url)
        if target is None:
            raise bad_request("The target is a path, or an http URL without user and password.")
        host, path, query = target.groups()
        self.url = (path or b"/") + (query or b"")
        self.headers[:] = [(name, host if name == b"host" else value) for name, value in self.headers]

    # Time

    def _take_time(self) -> None:
        self._takes_time = True

    def _part(self) -> Part | None:
        """What has to come next from the client, None while it is our turn."""
        if self._in_head:
            return "head"
        if self._in_body:
            return "body"
        return "nothing" if self.cycle is None or self.cycle.response_complete else None

    def _await(self, part: Part | None) -> None:
        awaited = None if part is None else (part, self._messages)
        if awaited == self._awaited:
            return
        self._awaited = awaited
        if part is None:
            return
        self._due = self.loop.time() + _SECONDS[part]
        if self._clock is None or self._due < self._clock.when():
            self._set_clock()

    def _set_clock(self) -> None:
        self._stop_clock()
        self._clock = self.loop.call_at(self._due, self._look)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _look(self) -> None:
        self._clock = None
        if self._awaited is None:
            return
        if self._takes_time and self.flow.read_paused:
            self._due = self.loop.time() + _SECONDS["body"]  # It is we who do not read.
        if self.loop.time() < self._due:
            self._set_clock()
        else:
            self._too_slow(self._awaited[0])

    def _too_slow(self, part: Part) -> None:
        if part in ("head", "body"):
            detail = f"The {part} took over {_SECONDS[part]:.0f} s."
            self._refuse(ProblemError("too-slow", 408, "Too slow", detail))
        else:
            self.transport.close()

    # Refusing

    def _refuse(self, refusal: ProblemError) -> None:
        """The last that this connection says; nothing is said where it would be taken for another request's answer."""
        if self._answerable():
            self.transport.write(_whole(refusal))
            self.transport.close()
        elif self._in_body:
            self.transport.abort()
        else:
            self.cycle.keep_alive = False  # What was asked before is answered, then the connection ends.
        if self._in_body:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._over = True
        self._await(None)

    def _answerable(self) -> bool:
        if self._in_body:
            return not self.pipeline and not self.cycle.response_started
        return self.cycle is None or self.cycle.response_complete


def _whole(refusal: ProblemError) -> bytes:
    """The problem as bytes of a connection that ends with it."""
    response = refusal.response()
    headers = [*response.raw_headers, (b"connection", b"close")]
    lines = b"".join(b"%b: %b\r\n" % header for header in headers)
    return STATUS_LINE[refusal.status] + lines + b"\r\n" + bytes(response.body)
