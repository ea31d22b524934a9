"""One port in front of the four services: a streaming reverse proxy that routes by the first path segment after /v1."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from contracts.gateway import service_for
from contracts.routes import STREAMED
from devstack.ports import HOST, claim
from devstack.upstream import BrokenOff, NoAnswer, Upstream, Upstreams
from servicekit.web.bounded_http import take_its_time
from servicekit.web.problems import ProblemError, not_found
from servicekit.web.requests import read_head
from servicekit.web.server import Listening

Headers = Iterable[tuple[bytes, bytes]]
HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Headers of one connection, which are not passed on."""
OWN: Final = frozenset({b"host", b"expect", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"})
"""Of a request: what this gateway says itself. `Expect` was answered when the body was asked for."""
REPEATABLE: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods of requests that may be sent again (RFC 9110, 9.2.2) when a kept connection turns out to have been given up."""
COME_AGAIN: Final = {"Retry-After": "1"}

Backend = Callable[[str], str | None]
"""Service -> the base URL of a replica that should get the next request, None while there is none."""

log = logging.getLogger(__name__)


class CallerGone(Exception):
    """The caller went away before its body was complete."""


class Proxy:
    """Listens from `start` to `stop`. Requests and answers of any length pass through as they come.

    The connections are bounded and read as those of a service are (servicekit.web.bounded_http).
    """

    def __init__(self, backend: Backend, *, port: int = 0) -> None:
        self._backend = backend
        self._port = port
        self._listening = Listening(self._answer)
        self._upstreams = Upstreams()

    @property
    def base_url(self) -> str:
        """Its address; with port 0 only once the port was claimed."""
        return f"http://{HOST}:{self._port}"

    def claim_port(self) -> str:
        """Settle on a port, StackError if the given one is taken; the base URL."""
        self._port = claim(self._port, "the gateway")
        return self.base_url

    async def start(self) -> None:
        # What uvicorn calls errors are connections that broke off, at either end.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await self._listening.start(HOST, self._port)

    async def stop(self) -> None:
        await self._listening.stop()
        self._upstreams.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            read_head(scope)
            await self._forward(scope, receive, send)
        except ProblemError as refusal:
            await refusal.response()(scope, receive, send)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        service = service_for(scope["path"])
        if service is None:
            raise not_found("The path")
        base = self._backend(service)
        if base is None:
            raise ProblemError(
                "service-down", 503, "Service down", f"The service {service} is not running.", headers=COME_AGAIN
            )
        try:
            await self._relay(scope, receive, send, service, base)
        except NoAnswer as error:
            log.info("%s %s: %s did not answer (%s)", scope["method"], scope["path"], service, error)
            raise ProblemError(
                "bad-gateway", 502, "Bad gateway", f"The service {service} ended the connection.", headers=COME_AGAIN
            ) from None
        except (BrokenOff, CallerGone):
            return  # The server closes a connection whose answer has no end.

    async def _relay(self, scope: Scope, receive: Receive, send: Send, service: str, base: str) -> None:
        """Ask the service and pass its answer on, for as long as the caller is there."""
        if scope["path"] in STREAMED:
            take_its_time(scope)
        upload = Upload(receive, scope["headers"])
        await upload.begin()
        upstream, base = await self._connected(service, base)
        try:
            await self._exchange(upstream, scope, upload, send)
        except NoAnswer as error:
            if not (error.unheard and upload.at_once and scope["method"] in REPEATABLE):
                raise
            upstream = await self._upstreams.take(base, fresh=True)
            await self._exchange(upstream, scope, upload, send)
        finally:
            if not upload.whole:
                upstream.close()  # The rest of the body would be taken for another request.
            self._upstreams.give(upstream, base)

    async def _connected(self, service: str, base: str) -> tuple[Upstream, str]:
        """A connection to this replica, or to the next one where it takes none, as one that is just being started; and which it
        is. Raises NoAnswer."""
        try:
            return await self._upstreams.take(base), base
        except NoAnswer:
            other = self._backend(service)
            if other is None or other == base:
                raise
            return await self._upstreams.take(other), other

    async def _exchange(self, upstream: Upstream, scope: Scope, upload: Upload, send: Send) -> None:
        upstream.begin(scope["method"])
        await upstream.write(request_head(scope) + upload.first)
        caller = asyncio.create_task(upload.pass_on(upstream))
        try:
            await copy_answer(upstream, send)
        except (NoAnswer, BrokenOff):
            if upload.caller_gone:
                raise CallerGone from None
            raise
        finally:
            caller.cancel()


class Upload:
    """A request's body on its way to the service, and after its end: whether the caller is still there.

    `first`: what had come of it when it began, framed; `at_once`: that was all; `whole`: all has been passed on.
    """

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        framing = {name: value for name, value in headers if name in (b"content-length", b"transfer-encoding")}
        self._chunked = b"transfer-encoding" in framing
        self._expected = bool(framing) and framing != {b"content-length": b"0"}
        self.first, self.whole, self.at_once, self.caller_gone = b"", not self._expected, not self._expected, False

    async def begin(self) -> None:
        """Take what has come: most bodies are `whole` then. Raises CallerGone."""
        if not self._expected:
            return
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise CallerGone
        self.first = self._framed(message)
        self.whole = self.at_once = not message.get("more_body", False)

    async def pass_on(self, upstream: Upstream) -> None:
        """Send the rest as it comes; end the connection when the caller goes."""
        more = not self.whole
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.caller_gone = True
                upstream.close()
                return
            if more:
                await upstream.write(self._framed(message))
                more = message.get("more_body", False)
                self.whole = not more

    def _framed(self, message: Message) -> bytes:
        body: bytes = message.get("body", b"")
        if not self._chunked:
            return body
        chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return chunk if message.get("more_body", False) else chunk + b"0\r\n\r\n"


async def copy_answer(upstream: Upstream, send: Send) -> None:
    """Pass the answer on as it comes. Raises NoAnswer, BrokenOff."""
    status, headers = await upstream.head()
    await send({"type": "http.response.start", "status": status, "headers": end_to_end(headers)})
    async for part, more in upstream.body():
        await send({"type": "http.response.body", "body": part, "more_body": more})


def end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers that are meant for the far end, their names in lower case; repeated ones stay repeated."""
    headers = [(name.lower(), value) for name, value in headers]
    named = {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name not in dropped]


def request_head(scope: Scope) -> bytes:
    """What the service gets before the body: the caller's headers, and where the call came from.

    What the caller itself said about that is dropped: this is the outermost proxy.
    """
    query = scope["query_string"]
    host = next(value for name, value in scope["headers"] if name == b"host")
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    lines = [
        b"%b %b HTTP/1.1" % (scope["method"].encode(), scope["raw_path"] + (b"?" + query if query else b"")),
        b"host: " + host,
        b"x-forwarded-for: " + (scope["client"][0] if scope["client"] else "").encode(),
        b"x-forwarded-proto: " + scope["scheme"].encode(),
        b"x-forwarded-host: " + host,
        *(b"%b: %b" % header for header in end_to_end(scope["headers"]) if header[0] not in OWN),
        *([b"transfer-encoding: chunked"] if chunked else []),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"
