"""The role with which dashboards read the services' rows: some columns, no content, never for long, never to write."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

from operations.databases import DATABASE, with_database
from operations.errors import CommandError
from operations.postgres import FAILURES, connected, refusal
from operations.services import OWNERS

ROLE = "switchhook_dashboards"
READ: Mapping[str, Mapping[str, str]] = {
    "registry": {"entity": "kind, id, project_id, created_at, deleted_at"},
    "flow-engine": {"held": "project, held_at", "timer": "part, project_id, due, fired_at"},
    "dispatcher": {
        "delivery": "id, day, project_id, kind, queue_id, state, attempts, due, created_at, finished_at, event_type,"
        " traceparent, error",
        "attempt": "delivery_id, day, number, started_at, took_ms, outcome, status, code",
        "queue": "id, destination, project_id, next_due",
        "destination": "name, paused_until, pause_reason",
    },
}
"""Service -> table -> columns. None of them holds what a person wrote, what was sent, or a secret."""
SETTINGS = {"default_transaction_read_only": "on", "statement_timeout": "'10s'"}
CONNECTIONS = 10


async def prepare_reader(admin_dsn: str, owners: Mapping[str, str], dsn: str) -> None:
    """Make the role of that DSN, and let it read. `owners`: service -> the DSN of who owns its tables, which have to be there.

    CommandError when the DSN names another role or database, or PostgreSQL refuses.
    """
    parts = urlsplit(dsn)
    if (parts.username, parts.path) != (ROLE, f"/{DATABASE}") or not parts.password:
        raise CommandError(f"The DSN of the dashboards has to be postgresql://{ROLE}:<password>@<host>/{DATABASE}.")
    try:
        await make_reader(with_database(admin_dsn), unquote(parts.password))
        for service, owner in owners.items():
            await grant(owner, service)
    except FAILURES as error:
        raise CommandError(refusal(admin_dsn, "could not be prepared for the dashboards", error)) from error


async def make_reader(admin_dsn: str, password: str) -> None:
    """Make the role; the password is set anew each time."""
    async with connected(admin_dsn) as connection:
        if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", ROLE):
            await connection.execute(f"CREATE ROLE {ROLE}")
        literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
        await connection.execute(f"ALTER ROLE {ROLE} LOGIN CONNECTION LIMIT {CONNECTIONS} PASSWORD {literal}")
        for name, value in SETTINGS.items():
            await connection.execute(f"ALTER ROLE {ROLE} SET {name} = {value}")


async def grant(owner_dsn: str, service: str) -> None:
    """Let the role read what READ has of a service, and nothing else of it."""
    schema = OWNERS[service]
    async with connected(owner_dsn) as connection:
        await connection.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {ROLE}")
        await connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {ROLE}")
        for table, columns in READ[service].items():
            await connection.execute(f"GRANT SELECT ({columns}) ON {schema}.{table} TO {ROLE}")
