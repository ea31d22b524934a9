"""One database for an installation: a role and a schema for each service that keeps rows."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from operations.errors import CommandError
from operations.postgres import FAILURES, Connection, connected, refusal
from operations.services import OWNERS

DATABASE = "switchhook"


async def prepare_database(admin_dsn: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Make the database, roles and schemas that are not there yet; each owner's DSN. `passwords` are by service.

    A role reads and writes in its own schema only, and finds it first in its search path: who has one service's DSN has
    nothing of another's.
    """
    await make_database(admin_dsn)
    async with connected(with_database(admin_dsn)) as connection:
        for service, schema in OWNERS.items():
            await make_owner(connection, schema, passwords[service])
        await connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    return {service: dsn_of(admin_dsn, schema, passwords[service]) for service, schema in OWNERS.items()}


async def prepare(admin_dsn: str, dsns: Mapping[str, str]) -> None:
    """Make what the services' DSNs name. CommandError when they name other roles or databases than these, or it cannot be made."""
    for service, dsn in dsns.items():
        parts, role = urlsplit(dsn), role_of(OWNERS[service])
        if (parts.username, parts.path) != (role, f"/{DATABASE}") or not parts.password:
            raise CommandError(f"The DSN of {service} has to be postgresql://{role}:<password>@<host>/{DATABASE}.")
    if missing := sorted(OWNERS.keys() - dsns.keys()):
        raise CommandError(f"The DSN of {', '.join(missing)} is needed: each service has a role of its own.")
    try:
        await prepare_database(admin_dsn, {each: unquote(urlsplit(dsn).password or "") for each, dsn in dsns.items()})
    except FAILURES as error:
        raise CommandError(refusal(admin_dsn, "could not be prepared", error)) from error


async def make_database(admin_dsn: str) -> None:
    """Make the installation's database, if it is not there yet."""
    async with connected(admin_dsn) as connection:
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE}")


async def make_owner(connection: Connection, schema: str, password: str) -> None:
    """Make one service's role and schema; the password is set anew each time."""
    role = role_of(schema)
    if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role} LOGIN")
    literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"ALTER ROLE {role} PASSWORD {literal}")
    await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    # Migrations begin with CREATE SCHEMA IF NOT EXISTS, for which PostgreSQL asks this right even where it does nothing.
    await connection.execute(f"GRANT CREATE ON DATABASE {DATABASE} TO {role}")
    await connection.execute(f"ALTER SCHEMA {schema} OWNER TO {role}")
    await connection.execute(f"ALTER ROLE {role} IN DATABASE {DATABASE} SET search_path = {schema}, public")


def role_of(schema: str) -> str:
    """The role that owns a service's schema."""
    return f"switchhook_{schema}"


def with_database(dsn: str) -> str:
    """The same DSN for the installation's database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{DATABASE}"))


def dsn_of(admin_dsn: str, schema: str, password: str) -> str:
    """The DSN with which the schema's owner reaches the installation's database on the same server."""
    parts = urlsplit(with_database(admin_dsn))
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role_of(schema)}:{quote(password, safe='')}@{address}"))
