"""Who calls, and may they: bearer tokens against the registry view, the operator's token against the environment.

A token that the view does not know may be a moment old, so the view catches up with its topic once before the answer
is 401; not for one whose deletion it has seen. Strangers cannot turn that into load: a text without a token's form and
checksum is looked up nowhere, what was not found is remembered for a while, and catching up is shared and paced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Any, Protocol

from pydantic import SecretStr

from contracts.registry import Scope, Token
from contracts.routes import Route
from servicekit.credentials import tokens
from servicekit.operator_token import DIGESTED, kept_operator_token
from servicekit.settings import Network
from servicekit.web.problems import ProblemError, unavailable

ADMIN: Scope = "admin"
MISS_SECONDS = 2.0
MISSES_KEPT = 10_000
CATCH_UP_PAUSE = 0.1
_UNKNOWN_SHA256 = "0" * 64


class TokenView(Protocol):
    """What authorisation needs of the registry view."""

    def find(self, kind: str, index: str, value: str) -> Any:
        """The entity under that value of an index, None when it is not known."""
        ...

    def deleted(self, kind: str, id: str) -> bool:
        """Whether a delete of it was seen."""
        ...

    async def current(self) -> bool:
        """Wait until the view has read all that its topic held at the call; False when that was not possible in time."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request. `project` is None only for the operator who named none."""

    project: str | None
    token_id: str | None
    scopes: frozenset[str]
    is_operator: bool = False
    agent_id: str | None = None
    """The agent who acts by the token; the operator, and a token of nobody, act as none."""

    @property
    def project_id(self) -> str:
        """The project that the request is about. Raises ProblemError 422 when the operator named none."""
        if self.project is None:
            raise ProblemError("project-needed", 422, "Project needed", "Name the project: ?project=<id>.")
        return self.project

    def has(self, scope: Scope) -> bool:
        """`admin` is every scope of its project, the operator has all of all."""
        return self.is_operator or scope in self.scopes or ADMIN in self.scopes

    def require(self, scope: Scope) -> None:
        """Raises ProblemError 403 naming the scope that is missing."""
        if not self.has(scope):
            raise ProblemError(
                "scope-missing", 403, "Scope missing", f"This needs a token with the scope {scope}.", scope=scope
            )

    def require_operator(self) -> None:
        """Raises ProblemError 403 for everybody but the operator."""
        if not self.is_operator:
            raise ProblemError("operator-only", 403, "Operator only", "Only the operator's token may do this.")


class Authoriser:
    """Decides from memory; one per process."""

    def __init__(self, view: TokenView, admin_token: SecretStr) -> None:
        """`admin_token`: the operator's, or `sha256:` and its digest."""
        self._view = view
        self._operator = kept_operator_token(admin_token.get_secret_value())
        self._catch_up = Paced(view.current, CATCH_UP_PAUSE)
        self._misses: dict[str, float] = {}

    async def authorise(
        self,
        authorization: str | bytes | None,
        scope: Scope | None,
        client_ip: str | None,
        *,
        project: str | None = None,
    ) -> Caller:
        """The caller of a request with this `Authorization` header.

        `scope` None: any valid token. `project`: the query parameter, read for the operator only. Raises ProblemError
        401 (no token, or not valid), 403 (`scope-missing`, `address-not-allowed`) or 503 (could not be known).
        """
        text = bearer(authorization)
        sha256 = tokens.digest(text)
        if compare_digest(DIGESTED + sha256, self._operator):
            return Caller(project, None, frozenset(), is_operator=True)
        token = await self._token(text, sha256)
        if expired(token.expires_at):
            raise unauthorised("The token has expired.")
        if token.allowed_cidrs and not inside(client_ip, token.allowed_cidrs):
            raise ProblemError(
                "address-not-allowed", 403, "Address not allowed", "This token does not work from this address."
            )
        caller = Caller(token.project_id, token.id, frozenset(token.scopes), agent_id=token.agent_id)
        if scope is not None:
            caller.require(scope)
        return caller

    async def admit(
        self, row: Route, authorization: str | bytes | None, client_ip: str | None, *, project: str | None = None
    ) -> Caller:
        """The caller of a route that asks for a token, who may call it. Raises ProblemError as `authorise`.

        Who has one of the row's `own_scopes` only is let in too: the handler knows what the caller caused.
        """
        needed = None if row.own_scopes else row.scope
        caller = await self.authorise(authorization, needed, client_ip, project=project)
        if row.own_scopes and row.scope is not None and not any(map(caller.has, row.own_scopes)):
            caller.require(row.scope)
        if row.proof == "operator":
            caller.require_operator()
        return caller

    async def _token(self, text: str, sha256: str) -> Token:
        token = self._find(sha256)
        if token is None and self._may_be_new(text, sha256):
            if not await self._catch_up():
                raise unavailable("The token is not known here yet.")
            token = self._find(sha256)
            if token is None:
                self._remember_miss(sha256)
        if token is None:
            raise unauthorised("The token is not valid.")
        return token

    def _find(self, sha256: str) -> Token | None:
        token: Token | None = self._view.find("token", "sha256", sha256)
        same = compare_digest(sha256, token.sha256 if token is not None else _UNKNOWN_SHA256)
        return token if same else None

    def _may_be_new(self, text: str, sha256: str) -> bool:
        """Whether the topic may hold it: one whose deletion is known here is refused without a look, so at once."""
        parsed = tokens.parse_token(text)
        if parsed is None or not parsed.genuine or self._view.deleted("token", parsed.id):
            return False
        return self._misses.get(sha256, 0.0) <= time.monotonic()

    def _remember_miss(self, sha256: str) -> None:
        if len(self._misses) >= MISSES_KEPT:
            self._misses.clear()
        self._misses[sha256] = time.monotonic() + MISS_SECONDS


class Paced:
    """Shares one run of `action` among all who ask before it starts, and starts at most one every `pause` seconds."""

    def __init__(self, action: Callable[[], Awaitable[bool]], pause: float) -> None:
        self._action, self._pause = action, pause
        self._next: asyncio.Task[bool] | None = None
        self._started = float("-inf")

    async def __call__(self) -> bool:
        """The result of a run that began after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._run())
        return await asyncio.shield(self._next)

    async def _run(self) -> bool:
        await asyncio.sleep(max(0.0, self._started + self._pause - time.monotonic()))
        self._next, self._started = None, time.monotonic()
        return await self._action()


def bearer(authorization: str | bytes | None) -> str:
    """The token of an `Authorization` header. Raises ProblemError 401 when there is none."""
    if isinstance(authorization, bytes):
        authorization = authorization.decode("latin-1")
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise unauthorised("Send your token: Authorization: Bearer swh_…")
    return text.strip()


def unauthorised(detail: str) -> ProblemError:
    """401 with the scheme that the caller should have used."""
    return ProblemError("unauthorized", 401, "Unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def expired(expires_at: str | None, now: datetime | None = None) -> bool:
    """Whether an RFC 3339 time has passed; None never does."""
    return expires_at is not None and (now or datetime.now(UTC)) >= _moment(expires_at)


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def inside(address: str | None, cidrs: tuple[str, ...]) -> bool:
    """Whether the address lies in one of the networks; an IPv4-mapped IPv6 address counts as the IPv4 address."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return any((mapped or found) in network for network in map(_network, cidrs))


@lru_cache(maxsize=4096)
def _network(cidr: str) -> Network:
    return ip_network(cidr, strict=False)
