"""What the dashboard of one tenant costs among 10,000: the time of each query for the busiest project, and what a label with the
project would cost every service instead."""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
from prometheus_client import CollectorRegistry, Counter, generate_latest

from devstack.embedded_postgres import EmbeddedPostgres
from devstack.tenant_dashboard import statements
from operations.dashboards import ROLE, prepare_reader
from operations.databases import prepare_database, with_database
from operations.migrations import migrate
from operations.services import OWNERS

PROJECTS = 10_000
BUSIEST, OTHER = "p1", "p5000"
SHARE = 10
"""Of so many deliveries one is the busiest project's; the others are shared evenly."""
DAYS = 8
DELIVERIES = """
INSERT INTO queue (destination, source, project_id) SELECT 'endpoint:' || n, '', 'p' || n FROM generate_series(1, $2::int) n;
INSERT INTO delivery (id, day, project_id, kind, queue_id, source, state, attempts, created_at, finished_at, event_type, payload)
SELECT gen_random_uuid(), (now() - made.age)::date, 'p' || made.p, (ARRAY['message', 'event', 'call'])[1 + n % 3], made.p, '',
       CASE WHEN n % 100 = 0 THEN 'exhausted' ELSE 'succeeded' END, 1, now() - made.age, now() - made.age, 'message.sent', repeat('x', 700)::bytea
  FROM generate_series(1, $1::int) n,
       LATERAL (SELECT CASE WHEN n % $3::int = 0 THEN 1 ELSE 1 + n % $2::int END AS p, n * (interval '7 days' / $1::int) AS age) made;
INSERT INTO attempt (delivery_id, day, number, started_at, took_ms, outcome, status, request)
SELECT id, day, 1, created_at, 20 + queue_id % 400, CASE state WHEN 'exhausted' THEN 'retry' ELSE state END, 200, repeat('x', 700)::bytea FROM delivery;
ANALYZE
"""


async def main(deliveries: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="switchhook-tenant-") as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres", sync=False)
        await server.start()
        try:
            dsns = await prepare_database(server.dsn, dict.fromkeys(OWNERS, "of the bench"))
            async for _ in migrate(dsns):
                pass
            await fill(dsns["dispatcher"], deliveries)
            dsn = reader(server.dsn)
            await prepare_reader(server.dsn, dsns, dsn)
            seconds = {project: await asked(dsn, project) for project in (BUSIEST, OTHER)}
        finally:
            await server.stop()
    return {"deliveries": deliveries, "projects": PROJECTS, "ms": seconds, "label": label()}


async def fill(dsn: str, deliveries: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for table in ("delivery", "attempt"):
            await connection.execute(
                f"DO $$ BEGIN FOR n IN -1..{DAYS} LOOP EXECUTE format('CREATE TABLE {table}_%s PARTITION OF {table}"
                " FOR VALUES FROM (%L) TO (%L)', n + 1, current_date - n, current_date - n + 1); END LOOP; END $$"
            )
        for statement, given in zip(
            DELIVERIES.split(";"), [(PROJECTS,), (deliveries, PROJECTS, SHARE), (), ()], strict=True
        ):
            await connection.execute(statement.replace("$2::int", "$1::int") if len(given) == 1 else statement, *given)
    finally:
        await connection.close()


def reader(admin_dsn: str) -> str:
    parts = urlsplit(with_database(admin_dsn))
    return urlunsplit(parts._replace(netloc=f"{ROLE}:bench@{parts.netloc.rpartition('@')[2]}"))


async def asked(dsn: str, project: str) -> dict[str, float]:
    """Panel -> milliseconds, over the last 24 hours; the slowest of three."""
    connection = await asyncpg.connect(dsn)
    try:
        return {
            title: max([await took(connection, sql) for _ in range(3)])
            for title, sql in statements(project, hours=24).items()
        }
    finally:
        await connection.close()


async def took(connection: asyncpg.Connection[Any], sql: str) -> float:
    begun = time.perf_counter()
    await connection.fetch(sql)
    return round((time.perf_counter() - begun) * 1000, 1)


def label() -> dict[str, float]:
    """Of four counters with project and result: memory, and what each scrape takes from the event loop."""
    process, registry = psutil.Process(), CollectorRegistry()
    before = process.memory_info().rss
    for metric in range(4):
        counter = Counter(f"example_{metric}", "An example.", ("project", "result"), registry=registry)
        for project in range(PROJECTS):
            for result in ("succeeded", "failed"):
                counter.labels(f"01a2047e-8ac5-74f8-864a-{project:012d}", result).inc()
    memory, begun = process.memory_info().rss - before, time.process_time()
    text = generate_latest(registry)
    seconds = time.process_time() - begun
    return {
        "series": 8 * PROJECTS,
        "MiB": round(memory / 2**20),
        "scrape_s": round(seconds, 2),
        "scrape_MB": round(len(text) / 1e6, 1),
    }


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("--deliveries", type=int, default=1_000_000)
    print(json.dumps(asyncio.run(main(words.parse_args().deliveries))))
