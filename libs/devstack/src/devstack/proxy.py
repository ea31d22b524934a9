"""One port in front of the four services: a streaming reverse proxy that routes by the first path segment after /v1."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from aiohttp import (
    ClientConnectionError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from multidict import CIMultiDict
from starlette.types import Receive, Scope, Send
from yarl import URL

from contracts.routes import PREFIXES, PRIVATE
from devstack.openapi import service_of_document
from devstack.ports import HOST, claim
from servicekit.http_framing import field_text
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
ADDED_BY_CLIENT: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What aiohttp would add to a request that lacks it; the caller did not say so."""
CONSOLE_SERVICE = "registry"
"""Serves every path outside /v1 that is not private: the console, /docs, /openapi.json."""
PRIVATE_PREFIXES: Final = frozenset({"health", "metrics"})
INGRESS_PATHS: Final = frozenset({"widget.js"})

COME_AGAIN: Final = {"Retry-After": "1"}

Backend = Callable[[str], str | None]
"""Service -> the base URL of a replica that should get the next request, None while there is none."""

log = logging.getLogger(__name__)


def service_for(path: str) -> str | None:
    """The service that answers this path, None for one that the outside does not see."""
    if document_of := service_of_document(path):
        return document_of
    first, *rest = path.lstrip("/").split("/")
    if first == "v1":
        return PREFIXES.get(rest[0]) if rest and rest[0] not in PRIVATE else None
    if first in PRIVATE_PREFIXES:
        return None
    return "ingress" if first in INGRESS_PATHS else CONSOLE_SERVICE


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
        self._client: ClientSession | None = None

    @property
    def base_url(self) -> str:
        """Its address; with port 0 only once the port was claimed."""
        return f"http://{HOST}:{self._port}"

    def claim_port(self) -> str:
        """Settle on a port, StackError if the given one is taken; the base URL."""
        self._port = claim(self._port, "the gateway")
        return self.base_url

    async def start(self) -> None:
        # No time limit: long-polls and event streams last; a caller's own limit ends them.
        self._client = ClientSession(
            timeout=ClientTimeout(total=None, sock_connect=5),
            connector=TCPConnector(limit=0),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
        )
        # What uvicorn calls errors are connections that broke off, at either end.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await self._listening.start(HOST, self._port)

    async def stop(self) -> None:
        await self._listening.stop()
        if self._client is not None:
            await self._client.close()

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
            await self._relay(scope, receive, send, base)
        except ClientConnectionError as error:
            log.info("%s %s: %s did not answer (%s)", scope["method"], scope["path"], service, error)
            raise ProblemError(
                "bad-gateway", 502, "Bad gateway", f"The service {service} ended the connection.", headers=COME_AGAIN
            ) from None
        except CallerGone:
            return

    async def _relay(self, scope: Scope, receive: Receive, send: Send, base: str) -> None:
        """Ask the service and pass its answer on, for as long as the caller is there."""
        body = Upload(receive, scope["headers"])
        asking = asyncio.create_task(self._ask(scope, body, send, base))
        leaving = asyncio.create_task(body.until_caller_leaves())
        try:
            await asyncio.wait({asking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            asking.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)
        if not asking.cancelled():
            asking.result()

    async def _ask(self, scope: Scope, body: Upload, send: Send, base: str) -> None:
        assert self._client is not None
        query = scope["query_string"]
        target = scope["raw_path"] + (b"?" + query if query else b"")
        async with self._client.request(
            scope["method"],
            URL(base + target.decode("latin-1"), encoded=True),
            headers=forwarded_headers(scope),
            data=body.chunks() if body.expected else None,
            allow_redirects=False,
            skip_auto_headers=ADDED_BY_CLIENT,
        ) as answer:
            await copy_answer(answer, send)


class Upload:
    """A request's body on its way to the service, and after its end: whether the caller is still there."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive, self._ended = receive, asyncio.Event()
        framing = {name: value for name, value in headers if name in (b"content-length", b"transfer-encoding")}
        self.expected = bool(framing) and framing != {b"content-length": b"0"}
        if not self.expected:
            self._ended.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises CallerGone."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerGone
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._ended.set()

    async def until_caller_leaves(self) -> None:
        """Return when the caller has gone; looked at once the body is read."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def copy_answer(answer: ClientResponse, send: Send) -> None:
    """Pass the answer on as it comes; one that breaks off breaks off for the caller too."""
    headers = [(name.lower(), value) for name, value in end_to_end(answer.raw_headers)]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    try:
        async for chunk in answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except (ClientConnectionError, ClientPayloadError):
        return  # The server closes a connection whose answer has no end.
    await send({"type": "http.response.body", "body": b""})


def end_to_end(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The headers that are meant for the far end; repeated ones stay repeated."""
    headers = [(name.lower(), value) for name, value in headers]
    named = {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name not in dropped]


def forwarded_headers(scope: Scope) -> CIMultiDict[str]:
    """What the service gets: the caller's headers, and where the call came from.

    What the caller itself said about that is dropped: this is the outermost proxy.
    """
    kept = [(name, value) for name, value in end_to_end(scope["headers"]) if name not in OWN]
    headers = CIMultiDict((name.decode("latin-1"), field_text(value)) for name, value in kept)
    host = next(field_text(value) for name, value in scope["headers"] if name == b"host")
    headers["X-Forwarded-For"] = scope["client"][0] if scope["client"] else ""
    headers["X-Forwarded-Proto"] = scope["scheme"]
    headers["X-Forwarded-Host"] = headers["Host"] = host
    return headers
