"""What every route does before and after its rules: who calls, which connection, what is said of errors below."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import structlog
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import Response

from registry import errors
from registry.site import Site
from registry.web.callers import Callers
from registry.writing import idempotency
from registry.writing.unit import Unit
from registry.writing.writes import FollowUp, Work, Writes
from servicekit.database import Database
from servicekit.web.auth import Caller
from servicekit.web.database_away import install_database_away

Handler: TypeAlias = Callable[..., Awaitable[Response]]
"""As FastAPI calls it: with the request, the path's parameters, and the body as the model that it is annotated with."""
IDEMPOTENT_METHODS = frozenset({"POST"})

log = structlog.get_logger()


class Api:
    """One per process."""

    def __init__(self, database: Database, writes: Writes, site: Site, admin_token: SecretStr) -> None:
        self.database, self.writes, self.site = database, writes, site
        self.callers = Callers(database, admin_token)

    @contextlib.asynccontextmanager
    async def reading(self, request: Request) -> AsyncIterator[Unit]:
        """For a GET."""
        async with self.database.pool.acquire() as connection:
            yield Unit(connection, _caller(request).project, 0, self.site)

    async def write(
        self, request: Request, work: Work, then: FollowUp | None = None, *, checked: bool = False
    ) -> Response:
        """Do the work, for the caller's project. `checked`: it has checks made; see `checking`."""
        caller = _caller(request)
        key = await _key(caller, request)
        turn = self.checking(request) if checked else None
        return await self.writes.answer(caller.project, key, work, then, turn=turn)

    def checking(self, request: Request) -> contextlib.AbstractAsyncContextManager[None]:
        """Hold the project's turn for checks. It is waited for before a connection to the database is taken."""
        return self.site.checks.turn(_caller(request).project or "")


def _caller(request: Request) -> Caller:
    caller: Caller = request.state.caller
    return caller


async def _key(caller: Caller, request: Request) -> idempotency.Key | None:
    given = request.headers.get("idempotency-key")
    if given is None or request.method not in IDEMPOTENT_METHODS:
        return None
    by = caller.token_id or "operator"
    return idempotency.key_of(caller.project or "-", request.url.path, given, await request.body(), by)


def install_database_errors(app: FastAPI) -> None:
    """Let what Postgres says of load and outages leave as a problem."""

    async def on_busy(_: Request, __: Exception) -> Response:
        return errors.busy().response()

    async def on_unstorable(_: Request, __: Exception) -> Response:
        return errors.unstorable().response()

    handlers: dict[Any, Any] = {
        asyncpg.LockNotAvailableError: on_busy,
        asyncpg.DeadlockDetectedError: on_busy,
        asyncpg.DataError: on_unstorable,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    install_database_away(app)
