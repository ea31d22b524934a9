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

import structlog

from servicekit.http_client.connections import IDLE_SECONDS, Host, NoConnection
from servicekit.http_client.egress_policy import Rule, Target, UrlRefused, allowed, check_url
from servicekit.http_client.http1 import Connection, Failure, Response
from servicekit.http_client.resolver import AddressRefused, Lookup, Names
from servicekit.observability.metrics import counter
from servicekit.settings import Network

BODY_LIMIT = 64 * 1024
CONNECT_SECONDS, TOTAL_SECONDS = 3.0, 15.0
SWEEP_SECONDS = 5.0
REFUSAL_SECONDS = 1.0
"""An address that is blocked and a name that nobody knows look alike, and neither they nor a refused connection are told
sooner: a tenant must not learn our network from them."""

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
        """`per_host`: connections of one project to one host and port. `tls`: another trust store. `lookup`: another resolver."""
        self._networks, self._tls = tuple(networks), tls
        self._per_host = per_host
        self._connect_seconds, self._refusal_seconds = connect_seconds, refusal_seconds
        self._names = Names(lookup)
        self._hosts: dict[tuple[str, str, str, int], Host] = {}
        self._target = lru_cache(maxsize=4096)(self._checked)
        self._swept = 0.0

    async def request(
        self,
        method: str,
        url: str,
        *,
        project: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = TOTAL_SECONDS,
        max_body: int = BODY_LIMIT,
        may_send: Callable[[], bool] | None = None,
    ) -> Answer:
        """Send one request and read its answer, any status. `timeout`: seconds for all of it.

        `project`: for whom; connections and look-ups of names are bounded for each project.
        `may_send` is asked after the connection is there, with nothing in between it and the write.
        Raises Blocked (nothing was sent) or Unreachable (its `sent` tells; code `withdrawn`: `may_send` said no).
        """
        started = time.monotonic()
        terms = Terms(project, method == "GET", started + timeout, max_body, may_send)
        written = self._written(method, url, headers or {}, body)
        if isinstance(written, Blocked):
            outcome: Response | Unreachable = written
        else:
            target, data = written
            host = self._host(target, project)
            kept = host.kept()
            if kept is None:
                outcome = await self._over_new(host, target, data, terms)
            else:
                outcome = await self._exchange(host, kept, target, data, terms)
                if terms.again and isinstance(outcome, Unreachable) and outcome.code == "disconnected":
                    # The server had closed the connection meanwhile, and a GET may be sent again.
                    outcome = await self._over_new(host, target, data, terms)
        if isinstance(outcome, Response):
            took_ms = round((time.monotonic() - started) * 1000)
            return Answer(outcome.status, outcome.headers, outcome.body, took_ms, outcome.truncated)
        if outcome.code == "unreachable":
            await asyncio.sleep(max(0.0, started + min(self._refusal_seconds, timeout) - time.monotonic()))
        # Raised outside every `except`: another error may quote the address and must not travel along as context.
        raise outcome

    def _written(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[Target, bytes] | Blocked:
        """Where it goes, and its bytes."""
        try:
            target = self._target(url, tuple(headers))
        except UrlRefused as error:
            return _blocked(str(error), error.rule, error.host, error.address)
        data = request_bytes(method, target, headers, body)
        if data is None:
            return _blocked("A header has characters that a header cannot have.", "header", target.host)
        return target, data

    def _checked(self, url: str, header_names: tuple[str, ...]) -> Target:
        """Raises UrlRefused."""
        target = check_url(url)
        if not all(map(_may_be_set, header_names)):
            message = "A header that frames the request, or is no header, cannot be set."
            raise UrlRefused("header", message, target.host)
        if target.literal is not None and not allowed(target.literal, self._networks, public=target.public):
            raise UrlRefused("address", _unreachable(target.host), target.host, str(target.literal))
        return target

    async def _over_new(self, host: Host, target: Target, data: bytes, terms: Terms) -> Response | Unreachable:
        fresh = await self._connection(host, target, terms)
        return fresh if isinstance(fresh, Unreachable) else await self._exchange(host, fresh, target, data, terms)

    async def _exchange(
        self, host: Host, connection: Connection, target: Target, data: bytes, terms: Terms
    ) -> Response | Unreachable:
        if terms.may_send is not None and not terms.may_send():
            host.give(connection)
            return Unreachable("It was not sent: somebody else may have taken it over.", "withdrawn", sent=False)
        try:
            outcome = await connection.send(data, terms.max_body, terms.deadline)
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            host.give(connection)
        if isinstance(outcome, Response):
            return outcome
        return Unreachable(_SENTENCES[outcome].format(host=target.host), outcome, sent=True)

    async def _connection(self, host: Host, target: Target, terms: Terms) -> Connection | Unreachable:
        limit = asyncio.timeout(max(0.0, terms.deadline - time.monotonic()))
        try:
            async with limit:
                connection = await host.take(lambda: self._addresses(target, terms.project))
        except AddressRefused as error:
            return _blocked(_unreachable(target.host), "address", target.host, error.address)
        except ssl.SSLError:
            message = f"No secure connection to {target.host}: its certificate was not accepted."
            return Unreachable(message, "tls", sent=False)
        except OSError as error:
            if limit.expired():
                return Unreachable(_SENTENCES["timeout"].format(host=target.host), "timeout", sent=False)
            if isinstance(error, NoConnection):
                place = f"{target.url.host_subcomponent}:{target.url.port}"
                return Unreachable(f"{place} {error}", "unreachable", sent=False)
            return Unreachable(_unreachable(target.host), "unreachable", sent=False)
        self._sweep()
        return connection

    async def _addresses(self, target: Target, project: str) -> list[str]:
        """Where a new connection may go. Raises AddressRefused when one of the answers is not allowed, OSError for none."""
        named = target.literal is None
        found = await self._names.addresses(target.host, project) if named else [str(target.literal)]
        for address in found:
            if not allowed(address, self._networks, public=target.public):
                raise AddressRefused(address)
        return found

    def _host(self, target: Target, project: str) -> Host:
        url = target.url
        key = project, url.scheme, target.host, url.port or 0
        found = self._hosts.get(key)
        if found is None:
            tls = self._context() if url.scheme == "https" else None
            found = self._hosts[key] = Host(
                key[3], tls, target.host, most=self._per_host, seconds=self._connect_seconds
            )  # fmt: skip
        return found

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

    def _sweep(self) -> None:
        """Close what has long been idle and forget hosts without connections; now and then, after a new connection."""
        now = time.monotonic()
        if now - self._swept < SWEEP_SECONDS:
            return
        self._swept = now
        for key, host in list(self._hosts.items()):
            host.close_idle(now - IDLE_SECONDS)
            if host.unused:
                del self._hosts[key]

    async def close(self) -> None:
        """Close all connections."""
        for host in self._hosts.values():
            host.close()
        self._names.close()
        await asyncio.sleep(0)  # The transports close in the loop's next turn.

    async def __aenter__(self) -> GuardedClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class Terms(NamedTuple):
    """Of one request. `project`: for whom. `again`: it may be sent a second time when a kept connection turns out to be closed."""

    project: str
    again: bool
    deadline: float
    max_body: int
    may_send: Callable[[], bool] | None


_SENTENCES: dict[Failure, str] = {
    "timeout": "{host} did not answer in time.",
    "bad-response": "{host} answered with something that is not HTTP, or too much of it.",
    "disconnected": "{host} closed the connection before its answer was complete.",
}
_NOT_IN_A_VALUE = re.compile(r"[\x00\r\n]")
_DEFAULTS = {"user-agent": "User-Agent: Switchhook/1\r\n", "accept": "Accept: */*\r\n"}


def request_bytes(method: str, target: Target, given: Mapping[str, str], body: bytes | None) -> bytes | None:
    """The request as it goes over the wire; None when a header's value cannot be in one."""
    url = target.url
    if _NOT_IN_A_VALUE.search("\x01".join(given.values())):
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in given.items()])
    length = f"Content-Length: {len(body or b'')}\r\n" if body is not None or method != "GET" else ""
    head = (
        f"{method} {url.raw_path_qs} HTTP/1.1\r\nHost: {url.host_port_subcomponent}\r\n{_defaults(tuple(given))}"
        f"{lines}{length}\r\n"
    )
    return head.encode("utf-8", "surrogateescape") + (body or b"")


@lru_cache(maxsize=4096)
def _defaults(names: tuple[str, ...]) -> str:
    """The headers of ours that stand beside those."""
    lower = {name.lower() for name in names}
    return "Accept-Encoding: identity\r\n" + "".join(line for name, line in _DEFAULTS.items() if name not in lower)


def _may_be_set(header_name: str) -> bool:
    """A header's name, and none that frames the request."""
    return _TOKEN.fullmatch(header_name) is not None and header_name.lower() not in OURS


def _unreachable(host: str) -> str:
    return (
        f"{host} cannot be reached. It must exist and have public addresses only; plain http and"
        " ports other than 80, 443 and 8443 are for networks in SWITCHHOOK_ALLOWED_NETWORKS."
    )


def _blocked(message: str, rule: Rule, host: str | None = None, address: str | None = None) -> Blocked:
    counter("switchhook_egress_blocked_total").labels(rule).inc()
    log.warning("egress.blocked", rule=rule, host=host, address=address)
    return Blocked(message, rule)
