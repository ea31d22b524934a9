"""Which tables of a schema may hold what is known of people, and in which of them a text is found."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import asyncpg

ABOUT_PEOPLE = re.compile(
    "contact|conversation|person|peer|external_id|pseudonym|payload|body|value|request|response|document|answer|^key$|^data$"
)
"""What a column is called that names a person, or holds what somebody wrote."""
_COLUMNS = """
SELECT class.relname AS table, attname AS name
  FROM pg_attribute JOIN pg_class class ON class.oid = attrelid
 WHERE relnamespace = $1::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition AND attnum > 0 AND NOT attisdropped
"""


async def of_people(pool: asyncpg.Pool[asyncpg.Record], schema: str) -> set[str]:
    """The tables that have such a column."""
    rows = await pool.fetch(_COLUMNS, schema)
    return {row["table"] for row in rows if ABOUT_PEOPLE.search(row["name"])}


async def holding(pool: asyncpg.Pool[asyncpg.Record], schema: str, *texts: str) -> set[str]:
    """The tables in which one of the texts stands, in whatever column: plain, in JSON or MessagePack, or in base64."""
    tables = {row["table"] for row in await pool.fetch(_COLUMNS, schema)}
    wanted = [form for text in texts for form in forms(text)]
    found = set()
    for table in tables:
        for row in await pool.fetch(f'SELECT * FROM {schema}."{table}"'):
            whole = b"\0".join(map(_bytes, row))
            if any(form in whole for form in wanted):
                found.add(table)
                break
    return found


def forms(text: str) -> Iterator[bytes]:
    """How a text may stand among bytes."""
    plain = text.encode()
    yield plain
    for shift in range(3):  # Wherever it begins among three bytes.
        yield b64encode(b"\0" * shift + plain)[4 if shift else 0 : -4]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
