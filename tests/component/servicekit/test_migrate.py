import asyncio
import os
import sys
from textwrap import dedent

import asyncpg
import pytest

from servicekit.migrate import main, migrate_async
from servicekit.revisions import versions_of

FIRST = '''
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.execute("""
        CREATE TABLE thing (id int PRIMARY KEY, data jsonb NOT NULL DEFAULT '{}');
        CREATE FUNCTION one() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
        CREATE INDEX thing_data ON thing USING gin (data);
    """)
'''
SECOND = """
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.execute("INSERT INTO thing (id) VALUES (1)")
"""
BROKEN = """
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.execute("CREATE TABLE half (id int); SELECT no_such_function();")
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one migration; `package(text)` adds the second."""
    versions = tmp_path / "sample_service" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "sample_service" / "__init__.py").touch()
    (versions / "0001_first.py").write_text(dedent(FIRST))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    sys.modules.pop("sample_service", None)

    def add(text: str) -> None:
        (versions / "0002_second.py").write_text(dedent(text))

    return add


async def fetch(dsn: str, query: str) -> list:
    connection = await asyncpg.connect(dsn)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def tables(dsn: str) -> set[str]:
    return set(await fetch(dsn, "SELECT tablename FROM pg_tables WHERE schemaname = 'sample_service'"))


async def test_a_schema_is_made_and_brought_up_to_date(package, database):
    await migrate_async("sample_service", database)
    assert await tables(database) == {"thing", "alembic_version"}
    assert await fetch(database, "SELECT sample_service.one()") == [1]
    assert await fetch(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


async def test_only_what_is_new_runs(package, database):
    await migrate_async("sample_service", database)
    package(SECOND)
    for _ in range(2):
        await migrate_async("sample_service", database)
    assert await fetch(database, "SELECT version_num FROM sample_service.alembic_version") == ["0002"]
    assert await fetch(database, "SELECT id FROM sample_service.thing") == [1]


async def test_a_migration_that_fails_leaves_nothing_of_itself(package, database):
    package(BROKEN)
    with pytest.raises(Exception, match="no_such_function"):
        await migrate_async("sample_service", database)
    assert await tables(database) == {"thing", "alembic_version"}
    assert await fetch(database, "SELECT version_num FROM sample_service.alembic_version") == ["0001"]


async def test_replicas_that_start_at_once_wait_for_each_other(package, database):
    package(SECOND)
    environment = os.environ | {"SWITCHHOOK_DATABASE": database}
    command = (sys.executable, "-W", "error", "-m", "servicekit.migrate", "sample_service")
    started = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(3)]
    assert await asyncio.gather(*(process.wait() for process in started)) == [0, 0, 0]
    assert await fetch(database, "SELECT id FROM sample_service.thing") == [1]


def test_a_package_without_migrations_is_named():
    with pytest.raises(ValueError, match="contracts"):
        versions_of("contracts")


def test_usage(monkeypatch, capsys):
    monkeypatch.delenv("SWITCHHOOK_DATABASE", raising=False)
    assert main(["registry"]) == 2
    assert "SWITCHHOOK_DATABASE" in capsys.readouterr().err
