"""The tables of a schema as PostgreSQL describes them, and what a change of them breaks for code that was written for them before."""

from __future__ import annotations

from typing import NamedTuple

import asyncpg

COLUMNS = """
SELECT class.relname AS table, attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
       atthasdef OR attidentity <> '' AS filled
  FROM pg_attribute JOIN pg_class class ON class.oid = attrelid
 WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
"""
RULES = """
SELECT class.relname AS table, pg_get_constraintdef(pg_constraint.oid) AS text,
       array(SELECT attname::text FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
  FROM pg_constraint JOIN pg_class class ON class.oid = conrelid
 WHERE relnamespace = $1::regnamespace AND contype IN ('c', 'f', 'x') AND NOT relispartition
UNION ALL
SELECT class.relname, regexp_replace(pg_get_indexdef(indexrelid), '^CREATE UNIQUE INDEX \\S+ ON', 'UNIQUE ON'),
       array(SELECT attname::text FROM pg_attribute WHERE attrelid = indrelid AND attnum = ANY (indkey::int2[]))
  FROM pg_index JOIN pg_class class ON class.oid = indrelid
 WHERE relnamespace = $1::regnamespace AND indisunique AND NOT relispartition
"""


class Column(NamedTuple):
    """`filled`: a row that does not name it gets a value."""

    type: str
    required: bool
    filled: bool


class Rule(NamedTuple):
    """What rows are refused by: a check, a foreign key, uniqueness."""

    table: str
    text: str
    columns: tuple[str, ...]


class Tables(NamedTuple):
    """(table, column) -> the column; and the rules."""

    columns: dict[tuple[str, str], Column]
    rules: frozenset[Rule]

    @property
    def names(self) -> set[str]:
        return {table for table, _ in self.columns}


async def tables_of(dsn: str, schema: str) -> Tables:
    """As they are now."""
    connection = await asyncpg.connect(dsn)
    try:
        columns, rules = await connection.fetch(COLUMNS, schema), await connection.fetch(RULES, schema)
    finally:
        await connection.close()
    return Tables(
        {(row["table"], row["name"]): Column(row["type"], row["required"], row["filled"]) for row in columns},
        frozenset(Rule(row["table"], row["text"], tuple(sorted(row["columns"]))) for row in rules),
    )


def broken(before: Tables, after: Tables) -> list[str]:
    """What code that was written for the tables before cannot do with those after, a sentence each."""
    found = [
        _change(f"{table}.{name}", old, after.columns.get((table, name)))
        for (table, name), old in before.columns.items()
    ]
    found += [
        f"{table}.{name} is new, required and has no default: rows of before leave it out"
        for (table, name), new in after.columns.items()
        if (table, name) not in before.columns and table in before.names and new.required and not new.filled
    ]
    found += [
        f"{rule.table} refuses rows by a new rule: {rule.text}"
        for rule in after.rules - before.rules
        if any((rule.table, name) in before.columns for name in rule.columns)
    ]
    found += [
        f"{rule.table} has no longer {rule.text}, which ON CONFLICT may name"
        for rule in before.rules - after.rules
        if rule.text.startswith("UNIQUE") and rule.table in after.names
    ]
    return sorted(filter(None, found))


def _change(name: str, old: Column, new: Column | None) -> str:
    if new is None:
        return f"{name} is gone"
    if new.type != old.type:
        return f"{name} was {old.type}, is {new.type}"
    if new.required and not old.required:
        return f"{name} became required"
    return f"{name} has no default any more" if new.required and old.filled and not new.filled else ""
