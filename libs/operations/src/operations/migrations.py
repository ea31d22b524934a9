"""Bringing the tables of an installation up to date, and whether they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import asyncpg

from operations.errors import CommandError, said
from operations.postgres import FAILURES, asked, place
from operations.services import OWNERS
from servicekit.revisions import newest_of


async def migrate(dsns: Mapping[str, str]) -> AsyncIterator[str]:
    """Migrate each service's tables, as its role; what was done, a line each. CommandError names the service."""
    from sqlalchemy.exc import SQLAlchemyError  # Half a second, which only this verb needs.

    from servicekit.migrate import migrate_async

    for service, dsn in dsns.items():
        before = await revision(service, dsn)
        try:
            await migrate_async(OWNERS[service], dsn)
        except (SQLAlchemyError, *FAILURES) as error:
            raise CommandError(f"The migrations of {service} failed at {place(dsn)} ({said(error)}).") from error
        newest = newest_of(OWNERS[service])
        yield f"{service} is at {newest}" + ("" if before == newest else f" (was {before or 'empty'})")


async def revision(service: str, dsn: str) -> str | None:
    """The revision that a service's tables have, None before the first. CommandError when PostgreSQL does not answer."""
    async with asked(dsn, service, "did not answer") as connection:
        try:
            found: str | None = await connection.fetchval("SELECT version_num FROM alembic_version")
        except asyncpg.UndefinedTableError:
            return None
    return found
