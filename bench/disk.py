"""Bytes on disk that an event leaves behind, in Kafka and in PostgreSQL, from a trigger to the signed webhook.

`--rate 100` events a second, because how many of them share a record batch depends on it; 0 is as fast as it goes. The body
is an order as a shop would post it: one that repeats a letter would compress to nothing. Prints what each topic, table and
index takes; counted is what grew, so what a stack without events has is left out. PostgreSQL's log (WAL) is reused after a
checkpoint and no part of the sum.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from pathlib import Path

import asyncpg
import orjson

from bench.e2e import our_chain
from bench.load import Load
from bench.measure import report
from bench.rig import Rig, options, rig, sink
from operations.databases import with_database

PEOPLE = 1_000
VACUUMS = 10
"""So often on the way: with each tenth that is dead, as autovacuum does on a table that is large."""
_SYLLABLES = ["ba", "ke", "li", "mo", "nu", "ra", "se", "ti", "vo", "za", "dor", "fel", "gan", "hul", "jin"]
_NUMBERED = re.compile(r"_\d{8}|-\d+$")
_SIZES = """
SELECT n.nspname || '.' || coalesce(t.relname, c.relname) || CASE c.relkind WHEN 'i' THEN ' ' || c.relname ELSE '' END AS name,
       pg_relation_size(c.oid) AS bytes
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
  LEFT JOIN pg_class t ON t.oid = i.indrelid
 WHERE c.relkind IN ('r', 'i', 't') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


def order(number: int) -> bytes:
    """About 900 bytes of JSON, another one for each number."""
    chance = random.Random(number)

    def word() -> str:
        return "".join(chance.choices(_SYLLABLES, k=3)).capitalize()

    lines = [
        {"sku": f"{chance.randrange(10**8):08d}", "title": f"{word()} {word()}", "quantity": chance.randint(1, 4),
         "price": {"amount": chance.randrange(100, 99_999), "currency": "EUR"}}
        for _ in range(4)
    ]  # fmt: skip
    address = {
        "street": f"{word()}weg {chance.randint(1, 99)}",
        "city": word(),
        "postcode": f"{chance.randrange(10**5):05d}",
    }
    about = {
        "id": f"{chance.getrandbits(128):032x}", "customer": f"{word()} {word()}", "email": f"{word()}@example.com".lower(),
        "address": address, "lines": lines, "note": " ".join(word() for _ in range(12)),
    }  # fmt: skip
    return orjson.dumps({"peer_id": f"p{number % PEOPLE}", "variables": {"order": about}})


def kafka_bytes(folder: Path) -> Counter[str]:
    """Topic -> bytes of its log segments. Their index files are made at full size and hold little."""
    sizes: Counter[str] = Counter()
    for segment in folder.glob("*/*.log"):
        sizes[_NUMBERED.sub("", segment.parent.name)] += segment.stat().st_size
    return sizes


async def postgres_bytes(bench: Rig) -> tuple[Counter[str], int]:
    """Table or index -> bytes after a vacuum, all days together; and where the write-ahead log stands."""
    connection = await asyncpg.connect(with_database(bench.stack.admin_dsn))
    try:
        await connection.execute("VACUUM")
        sizes: Counter[str] = Counter()
        for row in await connection.fetch(_SIZES):
            sizes[_NUMBERED.sub("", row["name"])] += row["bytes"]
        return sizes, await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'")
    finally:
        await connection.close()


async def main(events: int, rate: int) -> None:
    async with rig() as bench, sink() as target:
        chain = await our_chain(bench, target)
        folder = bench.stack.folder / "kafka" / "data"
        load = Load(chain.url, chain.headers, order)
        try:
            outcome = await load.as_many_as(PEOPLE)  # Everybody has a conversation: its row is not an event's.
            await target.wait_for(outcome.done)
            logs, (tables, wal) = kafka_bytes(folder), await postgres_bytes(bench)
            done = 0
            for _ in range(VACUUMS):
                part = events // VACUUMS
                outcome = await (load.at_rate(rate, part / rate) if rate else load.as_many_as(part))
                await target.wait_for(outcome.done)
                done += outcome.done
                after, wal_after = await postgres_bytes(bench)
        finally:
            await load.close()
        grown = {"kafka": kafka_bytes(folder) - logs, "postgres": after - tables}
    for name, parts in grown.items():
        for place, size in parts.most_common():
            print(f"{name:9}{size / done:8.0f}  {place}")
    kafka, postgres = (round(sum(grown[name].values()) / done) for name in ("kafka", "postgres"))
    report(
        "disk", events=done, rate=rate, kafka_bytes=kafka, postgres_bytes=postgres,
        wal_bytes=round((wal_after - wal) / done), gb_a_day_at_100=round((kafka + postgres) * 8.64e6 / 1e9, 1),
    )  # fmt: skip


if __name__ == "__main__":
    chosen = options(events=6_000, rate=100)
    asyncio.run(main(chosen.events, chosen.rate))
