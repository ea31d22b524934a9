"""Migrations only expand: the code of the last release goes on working on the tables of this one (docs/how-to/extend/migration.md)."""

from __future__ import annotations

import json

import asyncpg
import pytest

from devstack.paths import ROOT
from devstack.release import RECORD
from operations.services import OWNERS
from servicekit.migrate import migrate_async
from support.databases import Databases
from support.tables import broken, tables_of

REVISIONS: dict[str, str] = json.loads((ROOT / RECORD).read_text())["revisions"]
SAMPLE = """
CREATE SCHEMA sample;
CREATE TABLE sample.thing (id int PRIMARY KEY, name text, size int NOT NULL DEFAULT 0, label text NOT NULL UNIQUE);
CREATE TABLE sample.other (id int PRIMARY KEY);
"""


@pytest.mark.parametrize("service", OWNERS)
async def test_the_last_releases_code_can_work_on_the_tables_of_this_one(databases: Databases, service: str) -> None:
    schema = OWNERS[service]
    with databases.fresh() as dsn:
        await migrate_async(schema, dsn, REVISIONS[service])
        before = await tables_of(dsn, schema)
        await migrate_async(schema, dsn)
        assert broken(before, await tables_of(dsn, schema)) == []
    assert before.columns


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("ALTER TABLE thing ADD note text", None),
        ("ALTER TABLE thing ADD note text NOT NULL DEFAULT ''", None),
        ("ALTER TABLE thing ADD number int GENERATED ALWAYS AS IDENTITY", None),
        ("ALTER TABLE thing ADD a int, ADD b int, ADD CHECK (a < b)", None),
        ("ALTER TABLE thing ALTER label DROP NOT NULL", None),
        ("CREATE TABLE new (id int PRIMARY KEY, thing int NOT NULL REFERENCES thing)", None),
        ("CREATE INDEX ON thing (name)", None),
        ("DROP TABLE other", "other.id is gone"),
        ("ALTER TABLE thing DROP name", "thing.name is gone"),
        ("ALTER TABLE thing RENAME name TO title", "thing.name is gone"),
        ("ALTER TABLE thing ALTER name TYPE varchar(10)", "thing.name was text, is character varying(10)"),
        ("ALTER TABLE thing ALTER name SET NOT NULL", "thing.name became required"),
        ("ALTER TABLE thing ALTER size DROP DEFAULT", "thing.size has no default any more"),
        ("ALTER TABLE thing ADD note text NOT NULL", "thing.note is new, required and has no default"),
        ("ALTER TABLE thing ADD CHECK (size > 0)", "thing refuses rows by a new rule: CHECK ((size > 0))"),
        ("CREATE UNIQUE INDEX ON thing (name)", "thing refuses rows by a new rule: UNIQUE ON sample.thing"),
        ("ALTER TABLE thing DROP CONSTRAINT thing_label_key", "thing has no longer UNIQUE ON sample.thing"),
    ],
)
async def test_what_would_break_it_is_named(databases: Databases, change: str, complaint: str | None) -> None:
    with databases.fresh() as dsn:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(SAMPLE)
            before = await tables_of(dsn, "sample")
            await connection.execute(f"SET search_path = sample; {change}")
            found = broken(before, await tables_of(dsn, "sample"))
        finally:
            await connection.close()
    assert [line[: len(complaint or "")] for line in found] == ([complaint] if complaint else [])
