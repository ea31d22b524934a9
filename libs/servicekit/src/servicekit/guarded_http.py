"""The only HTTP client of the services. Nothing else may open an outgoing connection (a lint rule holds it).

A name is resolved by us, every answer must pass the egress policy, and the socket checks once more the address that it
connects to; so it is for each new connection, and a pooled one stays where it was checked. No redirects, no proxies, no
cookies, no decompression; heads and bodies of answers are bounded. No error has the URL or an address in its text:
what a tenant may see is `str(error)`, the rest is in the operator's log.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from types import TracebackType
from typing import Literal, NamedTuple

import aiohttp
import structlog
from aiohttp import hdrs
from aiohttp.abc import AbstractStreamWriter

from servicekit.egress_policy import Rule, Target, UrlRefused, allowed, check_url
from servicekit.metrics import counter
from servicekit.resolver import AddressRefused, GuardedResolver, Lookup, Names
from servicekit.settings import Network

BODY_LIMIT = 64 * 1024
HEADERS_LIMIT, FIELD_LIMIT = 100, 8190
CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 15.0
REFUSAL_SECONDS = 1.0
"""Blocked, unknown and refused look alike and take at least this long: a tenant must not learn our network from them."""

OURS = frozenset(
    {
        "host", "connection", "content-length", "transfer-encoding", "upgrade", "te", "trailer", "expect", "keep-alive",
        "accept-encoding", "proxy-authorization", "proxy-connection",
    }
)  # fmt: skip
"""Headers that frame the request: set by the client alone."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")

Code = Literal["unreachable", "tls", "timeout", "disconnected", "bad-response", "withdrawn"]

log = structlog.get_logger()


class Answer(NamedTuple):
    """What came back. `truncated`: the body was longer than asked for, and the rest was not read."""

    status: int
    headers: Mapping[str, str]
    """Case-insensitive."""
    body: bytes
    took_ms: int
    truncated: bool = False


class HttpFailure(Exception):
    """No answer. `sent` False: nothing of the request has left. The text may be shown to tenants."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Unreachable(HttpFailure):
    """The other side did not answer, in one of the ways that `code` names."""

    def __init__(self, message: str, code: Code, *, sent: bool) -> None:
        super().__init__(message, sent=sent)
        self.code = code


class _CheckedBody(aiohttp.BytesPayload):
    """A body that asks once more, right before head and body are written, whether it may still be sent."""

    def __init__(self, body: bytes, may_send: Callable[[], bool]) -> None:
        super().__init__(body)
        self._may_send = may_send
        self.withdrawn = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if not self._may_send():
            self.withdrawn = True
            raise OSError("withdrawn")  # aiohttp has only buffered the head so far; it closes the connection.
        await super().write_with_length(writer, content_length)


class Blocked(Unreachable):
    """Refused by us before anything was sent. When by the address, it reads like any other unreachable host."""

    def __init__(self, message: str, rule: Rule) -> None:
        super().__init__(message, "unreachable", sent=False)
        self.rule = rule


class GuardedClient:
    """One per process, made inside the loop: `async with GuardedClient(settings.allowed_networks) as http`."""

    def __init__(
        self,
        networks: Iterable[Network] = (),
        *,
        per_host: int = 64,
        connect_seconds: float = CONNECT_SECONDS,
        refusal_seconds: float = REFUSAL_SECONDS,
        tls: ssl.SSLContext | None = None,
        lookup: Lookup | None = None,
    ) -> None:
        """`per_host`: connections to one host and port. `tls`: another trust store. `lookup`: another resolver."""
        self._networks = tuple(networks)
        self._connect_seconds, self._refusal_seconds = connect_seconds, refusal_seconds
        self._names = Names(lookup)
        self._public = self._session(per_host, tls, public=True)
        self._private = self._session(per_host, tls, public=False)
        self._timeouts: dict[float, aiohttp.ClientTimeout] = {}

    def _session(self, per_host: int, tls: ssl.SSLContext | None, *, public: bool) -> aiohttp.ClientSession:
        resolver = GuardedResolver(self._names, self._networks, public=public)
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=per_host,
            resolver=resolver,
            use_dns_cache=False,
            socket_factory=resolver.new_socket,
            ssl=tls or True,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=FIELD_LIMIT,
            max_field_size=FIELD_LIMIT,
            max_headers=HEADERS_LIMIT,
            headers={hdrs.USER_AGENT: "Switchhook/1", hdrs.ACCEPT: "*/*", hdrs.ACCEPT_ENCODING: "identity"},
            skip_auto_headers=(hdrs.CONTENT_TYPE,),
        )

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = TOTAL_SECONDS,
        max_body: int = BODY_LIMIT,
        may_send: Callable[[], bool] | None = None,
    ) -> Answer:
        """Send one request and read its answer, any status. `timeout`: seconds for all of it.

        `may_send` (only with a body) is asked after the connection is there, with nothing in between it and the write.
        Raises Blocked (nothing was sent) or Unreachable (its `sent` tells; code `withdrawn`: `may_send` said no).
        """
        started = time.monotonic()
        target = self._accept(url, headers)
        if isinstance(target, Blocked):
            failure: Unreachable = target
        else:
            data = body if may_send is None or body is None else _CheckedBody(body, may_send)
            outcome = await self._attempt(method, target, headers, data, timeout, max_body, started)
            if isinstance(data, _CheckedBody) and data.withdrawn:
                outcome = Unreachable("It was not sent: somebody else may have taken it over.", "withdrawn", sent=False)
            if isinstance(outcome, Answer):
                return outcome
            failure = outcome
        if failure.code == "unreachable":
            await asyncio.sleep(max(0.0, started + min(self._refusal_seconds, timeout) - time.monotonic()))
        # Raised outside every `except`: the client's own error quotes the URL and must not travel along as context.
        raise failure

    def _accept(self, url: str, headers: Mapping[str, str] | None) -> Target | Blocked:
        try:
            target = check_url(url)
        except UrlRefused as error:
            return _blocked(str(error), error.rule)
        if headers and not all(map(_may_be_set, headers)):
            return _blocked("A header that frames the request, or is no header, cannot be set.", "header", target.host)
        if target.literal is not None and not allowed(target.literal, self._networks, public=target.public):
            return _blocked(_unreachable(target.host), "address", target.host, str(target.literal))
        return target

    async def _attempt(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str] | None,
        body: bytes | _CheckedBody | None,
        timeout: float,
        max_body: int,
        started: float,
    ) -> Answer | Unreachable:
        session = self._public if target.public else self._private
        try:
            async with session.request(
                method, target.url, headers=headers, data=body, timeout=self._timeout(timeout), allow_redirects=False
            ) as response:
                content, truncated = await _read(response, max_body)
                took_ms = round((time.monotonic() - started) * 1000)
                return Answer(response.status, response.headers, content, took_ms, truncated)
        except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
            return _failure(error, target.host)

    def _timeout(self, total: float) -> aiohttp.ClientTimeout:
        made = self._timeouts.get(total)
        if made is None:
            if len(self._timeouts) > 256:
                self._timeouts.clear()
            made = self._timeouts[total] = aiohttp.ClientTimeout(
                total=total, sock_connect=min(self._connect_seconds, total)
            )
        return made

    async def close(self) -> None:
        """Close all connections."""
        await self._public.close()
        await self._private.close()
        self._names.close()

    async def __aenter__(self) -> GuardedClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


@lru_cache(maxsize=4096)
def _may_be_set(header_name: str) -> bool:
    """Values are looked at by aiohttp, which refuses control characters, but takes any name without them."""
    return _TOKEN.fullmatch(header_name) is not None and header_name.lower() not in OURS


async def _read(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The body, and whether it was cut. Cutting it closes the connection: the rest is never read."""
    content = await response.content.readany()
    if response.content.at_eof() and len(content) <= limit:
        return content, False
    parts = bytearray(content)
    while len(parts) <= limit:
        more = await response.content.readany()
        if not more:
            return bytes(parts), False
        parts += more
    response.close()
    return bytes(parts[:limit]), True


def _unreachable(host: str) -> str:
    return (
        f"{host} cannot be reached. It must exist, accept connections and have public addresses only; plain http and"
        " ports other than 80, 443 and 8443 are for networks in SWITCHHOOK_ALLOWED_NETWORKS."
    )


def _blocked(message: str, rule: Rule, host: str | None = None, address: str | None = None) -> Blocked:
    counter("switchhook_egress_blocked_total").labels(rule).inc()
    log.warning("egress.blocked", rule=rule, host=host, address=address)
    return Blocked(message, rule)


def _failure(error: Exception, host: str) -> Unreachable:
    """What became of the request, in our words."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, AddressRefused):
        return _blocked(_unreachable(host), "address", host, cause.address)
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Unreachable(f"No secure connection to {host}: its certificate was not accepted.", "tls", sent=False)
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Unreachable(_unreachable(host), "unreachable", sent=False)
    if isinstance(error, TimeoutError):
        return Unreachable(f"{host} did not answer in time.", "timeout", sent=True)
    if isinstance(error, aiohttp.ClientResponseError):
        return Unreachable(
            f"{host} answered with something that is not HTTP, or too much of it.", "bad-response", sent=True
        )
    if isinstance(error, aiohttp.ClientError | OSError):
        return Unreachable(f"{host} closed the connection before its answer was complete.", "disconnected", sent=True)
    return _blocked("A header has characters that a header cannot have.", "header", host)
