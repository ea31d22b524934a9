"""How often a chain asked its servers: requests to Kafka by kind, PostgreSQL's transactions and bytes of log."""

from __future__ import annotations

import re
from collections import Counter

import aiohttp
import asyncpg

from devstack.stack import Stack

Counts = Counter[str]
"""What -> how often since the beginning. Of Kafka `service.Kind`."""
_REQUESTS = re.compile(r'^switchhook_kafka_requests_total\{request="(\w+)"\} (\S+)$', re.MULTILINE)


async def service_counts(stack: Stack) -> Counts:
    """Requests of each service to Kafka, from its own metrics."""
    counts: Counts = Counter()
    async with aiohttp.ClientSession() as session:
        for name, service in stack.services.items():
            async with session.get(f"{service.base_url}/metrics") as answer:
                text = await answer.text()
            counts.update({f"{name}.{kind}": int(float(number)) for kind, number in _REQUESTS.findall(text)})
    return counts


async def postgres_counts(stack: Stack, database: str) -> Counts:
    """Transactions of one database, and bytes of the log that all databases share."""
    connection = await asyncpg.connect(stack.admin_dsn)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        commits = await connection.fetchval(
            "SELECT sum(xact_commit) FROM pg_stat_database WHERE datname LIKE $1 || '%'", database
        )
        wal_bytes = await connection.fetchval("SELECT wal_bytes FROM pg_stat_wal")
    finally:
        await connection.close()
    return Counter({"postgres.transactions": int(commits or 0), "postgres.wal_bytes": int(wal_bytes)})


async def stack_counts(stack: Stack) -> Counts:
    """Both, of the services and their database."""
    return await service_counts(stack) + await postgres_counts(stack, "switchhook")


def per_event(before: Counts, after: Counts, events: int) -> dict[str, float]:
    """What came to it since, for each event."""
    return {name: round((count - before[name]) / events, 3) for name, count in after.items() if count > before[name]}
