"""Who calls: found by the token's row in the registry's own table, not on the topic, so also while Kafka is gone.

A token that is good is looked up at each request, so that a deleted one is refused at once. Strangers cannot turn that
into load: a text without a token's form costs no query, one that was not found is remembered, and all that nobody has
proved yet shares two connections.
"""

from __future__ import annotations

import asyncio
import time

from pydantic import SecretStr
from starlette.requests import Request

from contracts.registry import Token
from contracts.routes import Route
from registry.store import postgres_entities
from servicekit.credentials import tokens
from servicekit.database import Database
from servicekit.web.auth import Authoriser, Caller, bearer
from servicekit.web.problems import unavailable
from servicekit.web.routes import prove

MISS_SECONDS = 30.0
"""A token that was not in the table is not made later: its text is chosen here, when it is."""
REMEMBERED = 10_000
"""Tokens, good ones and unknown ones each, before all of them are forgotten."""
STRANGERS_AT_ONCE, STRANGERS_WAITING = 2, 500


class OneToken:
    """The view that authorisation looks into, of the one token that was presented."""

    def __init__(self, token: Token | None) -> None:
        self._token = token

    def find(self, kind: str, index: str, value: str) -> Token | None:
        return self._token

    def deleted(self, kind: str, id: str) -> bool:
        """What the table does not have is unknown, however that came."""
        return False

    async def current(self) -> bool:
        return True


class Callers:
    """One per process."""

    def __init__(self, database: Database, admin_token: SecretStr) -> None:
        self._database, self._admin_token = database, admin_token
        self._good: set[str] = set()
        self._unknown_until: dict[str, float] = {}
        self._places, self._waiting = asyncio.Semaphore(STRANGERS_AT_ONCE), 0

    async def prove(self, row: Route, request: Request) -> Caller:
        """Who calls a route, and may. Raises ProblemError 401, 403, and 503 when too many strangers are asked about."""
        text = bearer(request.headers.get("authorization"))
        found = await self._token(tokens.digest(text)) if tokens.is_genuine(text) else None
        return await prove(row, Authoriser(OneToken(found), self._admin_token), request)

    async def _token(self, sha256: str) -> Token | None:
        if sha256 in self._good:
            found = await self._row(sha256)
        elif self._unknown_until.get(sha256, 0.0) > time.monotonic():
            return None
        else:
            found = await self._strangers(sha256)
        self._remember(sha256, found)
        return found

    async def _strangers(self, sha256: str) -> Token | None:
        if self._waiting >= STRANGERS_WAITING:
            raise unavailable("Too many unknown tokens are being looked up.")
        self._waiting += 1
        try:
            async with self._places:
                return await self._row(sha256)
        finally:
            self._waiting -= 1

    async def _row(self, sha256: str) -> Token | None:
        async with self._database.pool.acquire() as connection:
            found = await postgres_entities.find_token(connection, sha256)
        return found.entity if found else None

    def _remember(self, sha256: str, found: Token | None) -> None:
        for known in (self._good, self._unknown_until):
            if len(known) >= REMEMBERED:
                known.clear()
        if found is None:
            self._good.discard(sha256)
            self._unknown_until[sha256] = time.monotonic() + MISS_SECONDS
        else:
            self._good.add(sha256)
