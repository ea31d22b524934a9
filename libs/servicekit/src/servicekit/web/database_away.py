"""A request whose database does not answer is a 503: the caller sends it again, and nothing of ours is broken."""

from __future__ import annotations

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from servicekit.observability.repeats import Repeated
from servicekit.web.problems import unavailable

AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,  # Its disk is full, for one.
    asyncpg.ReadOnlySQLTransactionError,  # It is a standby.
    asyncpg.InsufficientPrivilegeError,  # A dump was read in by another role.
    asyncpg.LockNotAvailableError,  # Somebody rewrites a table.
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)
"""What a statement or `acquire` raises while PostgreSQL is away, starts, stops, has no room or lets us save nothing; time-outs are
OSErrors."""

_away = Repeated("api.database_away")


async def _on_away(_: Request, error: Exception) -> Response:
    _away.warn(error=type(error).__name__)
    return unavailable("The database does not answer; send the request again.").response()


def install_database_away(app: Starlette) -> None:
    """Let what PostgreSQL's absence raises in a handler leave as 503 `unavailable`."""
    for kind in AWAY:
        app.add_exception_handler(kind, _on_away)
