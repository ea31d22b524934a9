"""One port in front of the four services: a streaming reverse proxy that routes by the first path segment after /v1."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Final

from aiohttp import (
    ClientConnectionError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
    web,
)
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from contracts.routes import PREFIXES
from devstack.openapi import service_of_document
from devstack.ports import HOST, claim
from servicekit.web.problems import MEDIA_TYPE, TYPE_BASE

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
    }
)
"""Headers of one connection, which are not passed on."""
ADDED_BY_CLIENT: Final = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What aiohttp would add to a request that lacks it; the caller did not say so."""
CONSOLE_SERVICE = "registry"
"""Serves every path outside /v1 that is not private: the console, /docs, /openapi.json."""
PRIVATE_PREFIXES: Final = frozenset({"health", "metrics"})
PRIVATE_API: Final = frozenset({"dlq", "held"})
"""First segments after /v1 that are for operators, on a service's own port only: not routed even if a row has one."""
INGRESS_PATHS: Final = frozenset({"widget.js"})

Backend = Callable[[str], str | None]
"""Service -> the base URL of a replica that should get the next request, None while there is none."""

log = logging.getLogger(__name__)


def service_for(path: str) -> str | None:
    """The service that answers this path, None for one that the outside does not see."""
    if document_of := service_of_document(path):
        return document_of
    first, *rest = path.lstrip("/").split("/")
    if first == "v1":
        return PREFIXES.get(rest[0]) if rest and rest[0] not in PRIVATE_API else None
    if first in PRIVATE_PREFIXES:
        return None
    return "ingress" if first in INGRESS_PATHS else CONSOLE_SERVICE


class Proxy:
    """Listens from `start` to `stop`. Requests and answers of any length pass through as they come."""

    def __init__(self, backend: Backend, *, port: int = 0) -> None:
        self._backend = backend
        self._port = port
        self._runner: web.AppRunner | None = None
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
        app = web.Application(client_max_size=0)
        app.router.add_route("*", "/{path:.*}", self._forward)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._client is not None:
            await self._client.close()

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        service = service_for(request.path)
        if service is None:
            return problem(404, "not-found", "Not found", "There is nothing at this path.")
        base = self._backend(service)
        if base is None:
            return problem(503, "service-down", "Service down", f"The service {service} is not running.", retry_after=1)
        try:
            return await self._relay(request, base)
        except ClientConnectionError as error:
            log.info("%s %s: %s did not answer (%s)", request.method, request.path, service, error)
            return problem(
                502, "bad-gateway", "Bad gateway", f"The service {service} ended the connection.", retry_after=1
            )

    async def _relay(self, request: web.Request, base: str) -> web.StreamResponse:
        assert self._client is not None
        async with self._client.request(
            request.method,
            URL(f"{base}{request.raw_path}", encoded=True),
            headers=forwarded_headers(request),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=ADDED_BY_CLIENT,
        ) as answer:
            return await copy_answer(request, answer)


async def copy_answer(request: web.Request, answer: ClientResponse) -> web.StreamResponse:
    """Pass the answer on as it comes; one that breaks off breaks off for the caller too."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=end_to_end(answer.headers))
    await response.prepare(request)
    try:
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    except (ClientConnectionError, ClientPayloadError):
        if request.transport is not None:
            request.transport.abort()
        return response
    await response.write_eof()
    return response


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers that are meant for the far end; repeated ones stay repeated."""
    named = {name.strip().lower() for value in headers.getall("connection", []) for name in value.split(",")}
    dropped = HOP_BY_HOP | named
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in dropped)


def forwarded_headers(request: web.Request) -> CIMultiDict[str]:
    """What the service gets: the caller's headers, and where the call came from.

    What the caller itself said about that is dropped: this is the outermost proxy.
    """
    headers = end_to_end(request.headers)
    headers["X-Forwarded-For"] = request.remote or ""
    headers["X-Forwarded-Proto"] = request.scheme
    headers["X-Forwarded-Host"] = headers["Host"] = request.host
    return headers


def problem(status: int, slug: str, title: str, detail: str, *, retry_after: int | None = None) -> web.Response:
    """An RFC 9457 answer."""
    body: Mapping[str, object] = {"type": TYPE_BASE + slug, "title": title, "status": status, "detail": detail}
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return web.Response(status=status, body=json.dumps(body).encode(), content_type=MEDIA_TYPE, headers=headers)
