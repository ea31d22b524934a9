"""Asking the PostgreSQL of an installation: as one of its services does, or as a role that may make databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg

from operations.errors import CommandError, said
from operations.services import OWNERS
from servicekit.database import CONNECT_SECONDS, DSN, DSN_FORM

FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What a connection raises when the server is away (a time-out is an OSError), lets nobody in, or refuses a statement."""

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def connected(dsn: str, service: str = "") -> AsyncIterator[Connection]:
    """A connection, as long as the block runs. With `service` as that one connects: its tables are in the schema that is named
    after it.

    Raises FAILURES, and CommandError, which does not show it, for what is no DSN.
    """
    if DSN.fullmatch(dsn) is None:
        raise CommandError(f"The DSN {f'of {service}' if service else 'that makes databases'} is none: {DSN_FORM}.")
    settings = {"search_path": f"{OWNERS[service]}, public"} if service else {}
    connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, server_settings=settings)
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def asked(dsn: str, service: str, failed: str, then: str = "") -> AsyncIterator[Connection]:
    """A connection as `connected` gives it. CommandError for FAILURES in the block: it says where PostgreSQL is, what has
    `failed` ("did not answer"), why, and what `then` is so."""
    try:
        async with connected(dsn, service) as connection:
            yield connection
    except FAILURES as error:
        raise CommandError(refusal(dsn, failed, error) + then) from error


def refusal(dsn: str, failed: str, error: BaseException) -> str:
    """The sentence about a PostgreSQL that could not be asked."""
    return f"PostgreSQL at {place(dsn)} {failed} ({said(error)})."


def place(dsn: str) -> str:
    """Where a DSN leads and as whom, without the password."""
    login, _, hosts = urlsplit(dsn).netloc.rpartition("@")
    where, user = hosts if ":" in hosts else f"{hosts}:5432", login.partition(":")[0]
    return f"{where} as {user}" if user else where
