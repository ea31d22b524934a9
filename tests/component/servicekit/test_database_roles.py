"""A role for each service, as docs/how-to/operate.md makes them: it opens its own database, and no other."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from devstack.paths import ROOT
from servicekit.database_rights import question, sentence
from servicekit.migrate import migrate_async

STATEMENTS = re.search(r"```sql\n(.*?)```", (ROOT / "docs/how-to/operate.md").read_text(), re.DOTALL)
DOCUMENTED, NAMES = "switchhook_registry", ("roles_test_registry", "roles_test_dispatcher")


def dsn_of(admin_dsn: str, role: str, database: str) -> str:
    parts = urlsplit(admin_dsn)
    address = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role}:of-{role}@{address}", path=f"/{database}"))


@pytest.fixture
async def roles(postgres: str) -> AsyncIterator[str]:
    """The superuser's DSN, beside two services' roles and databases."""
    assert STATEMENTS is not None
    admin = await asyncpg.connect(postgres)
    try:
        for name in NAMES:
            for statement in filter(str.strip, STATEMENTS.group(1).split(";")):
                await admin.execute(statement.replace(DOCUMENTED, name).replace("'…'", f"'of-{name}'"))
        yield postgres
    finally:
        for name in NAMES:
            await admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await admin.execute(f"DROP ROLE IF EXISTS {name}")
        await admin.close()


async def test_a_role_migrates_its_own_database_and_opens_no_other(roles: str) -> None:
    registry, dispatcher = NAMES
    await migrate_async("registry", dsn_of(roles, registry, registry))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(dsn_of(roles, dispatcher, registry))


async def test_whether_a_service_may_save_is_what_postgresql_says(roles: str) -> None:
    registry, _ = NAMES
    await migrate_async("registry", dsn_of(roles, registry, registry))
    admin = await asyncpg.connect(
        dsn_of(roles, registry, registry).replace(f"{registry}:of-{registry}", admin_of(roles))
    )
    asked = question("registry")
    role = await asyncpg.connect(dsn_of(roles, registry, registry))
    try:
        assert await role.fetchval(asked) is None
        await admin.execute("ALTER TABLE registry.entity OWNER TO CURRENT_USER")
        assert "may not read and write entity:" in (sentence(await role.fetchval(asked)) or "")
        await admin.execute("ALTER SCHEMA registry OWNER TO CURRENT_USER")
        assert "may not read and write the schema registry:" in (sentence(await role.fetchval(asked)) or "")
        await role.execute("SET default_transaction_read_only = on")
        assert "it is read-only" in (sentence(await role.fetchval(asked)) or "")
    finally:
        await role.close()
        await admin.close()


def admin_of(dsn: str) -> str:
    """The superuser's name and password, as they stand in a DSN."""
    return urlsplit(dsn).netloc.rpartition("@")[0]
