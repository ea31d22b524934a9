"""Brings a service's schema up to date: `python -m servicekit.migrate <package>`, with SWITCHHOOK_DATABASE set.

The revisions are Alembic's, in `<package>/migrations/versions/*.py`; this module is the environment of all of them. The
schema is named after the package. Replicas may start this at once: an advisory lock lets one after another through.
A process of its own, so that no service carries SQLAlchemy in memory.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from typing import Any

import asyncpg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from servicekit.revisions import versions_of

SEVERAL_STATEMENTS = re.compile(r";\s*\S")


def migrate(package: str, dsn: str, revision: str = "head") -> None:
    """Bring the schema of `package` to `revision`. Raises ValueError when the package has no migrations."""
    asyncio.run(migrate_async(package, dsn, revision))


async def migrate_async(package: str, dsn: str, revision: str = "head") -> None:
    """The same, inside a running loop."""
    versions = versions_of(package)
    engine = _engine(package, dsn)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade, package, versions, revision)
    finally:
        await engine.dispose()


def _engine(package: str, dsn: str) -> AsyncEngine:
    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        settings = {"search_path": package, "application_name": f"{package}/migrate", "lock_timeout": "10s"}
        return await asyncpg.connect(dsn, server_settings=settings)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    event.listen(engine.sync_engine, "do_execute", _run_script)
    return engine


def _run_script(cursor: Any, statement: str, parameters: Any, _: Any) -> bool:
    """Run several statements given as one: the driver prepares what it executes, and only one can be prepared."""
    if parameters or not SEVERAL_STATEMENTS.search(statement):
        return False
    cursor.execute("SET LOCAL client_min_messages = warning", ())  # Opens the transaction that the script belongs to.
    await_only(cursor._connection.execute(statement))
    return True


def _upgrade(connection: Connection, package: str, versions: Path, revision: str) -> None:
    with connection.begin():
        # Not in the schema's own name space of locks: the loop's and the relay's are two-number ones.
        connection.execute(text("SELECT pg_advisory_lock(hashtext(:package))"), {"package": f"migrate {package}"})
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{package}"'))
    config = Config()
    config.set_main_option("script_location", str(versions.parent))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    script = ScriptDirectory.from_config(config)

    def steps(current: Any, _: Any) -> Any:
        return script._upgrade_revs(revision, current)

    with EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment:
        environment.configure(
            connection=connection, version_table_schema=package, transaction_per_migration=True
        )  # fmt: skip
        with environment.begin_transaction():
            environment.run_migrations()


def main(arguments: list[str]) -> int:
    """The command line: its exit code."""
    dsn = os.environ.get("SWITCHHOOK_DATABASE")
    if len(arguments) != 1 or not dsn:
        sys.stderr.write("usage: SWITCHHOOK_DATABASE=<dsn> python -m servicekit.migrate <package>\n")
        return 2
    migrate(arguments[0], dsn)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
