"""Pages of the agents' inbox, and the look of its stream, for a bot with many conversations beside one with few."""

from __future__ import annotations

import time

import asyncpg

from bench.measure import median
from flow_engine.store import inbox
from flow_engine.store.inbox import Asked

ROUNDS, CHUNK = 60, 50_000
QUEUED, TAKEN = 100, 60
"""So many of each bot's conversations wait for an agent, and agents have so many."""
FILL = """
INSERT INTO conversation (id, key, contact_id, version, state, seen, owner, owner_since)
SELECT gen_random_uuid(), $1 || '/' || $2 || '/' || n, gen_random_uuid(), 1,
       convert_to(json_build_object('project_id', $3::text, 'channel_type', 'webchat', 'reachable', 'subscribed',
                                    'owner', coalesce(o.owner, 'bot'))::text, 'UTF8'),
       '', o.owner, CASE WHEN o.owner IS NOT NULL THEN now() - n * interval '1 second' END
  FROM generate_series($4::bigint, $5::bigint) n,
       LATERAL (SELECT CASE WHEN n <= $6 THEN 'queued' WHEN n <= $6 + $7 THEN 'agent-1' END AS owner) o
"""
PAGES = {
    "queue": "?bot={bot}&state=queued&limit=50",
    "with agents": "?bot={bot}&state=with_agent&limit=50",
    "all conversations": "?bot={bot}&limit=50",
    "chats of a channel": "/chats?channel={channel}&limit=50",
}
"""What is asked of both bots, of /v1/conversations: the same number comes back."""


async def fill(
    connection: asyncpg.Connection[asyncpg.Record], project: str, bot: str, channel: str, count: int
) -> None:
    """Conversations of a bot, most of them its own."""
    for first in range(1, count + 1, CHUNK):
        last = min(first + CHUNK - 1, count)
        await connection.execute(FILL, bot, channel, project, first, last, QUEUED, TAKEN)
    await connection.execute("VACUUM (FREEZE, ANALYZE) conversation")


async def look_ms(connection: asyncpg.Connection[asyncpg.Record], few: str, many: str) -> tuple[float, float]:
    """Medians of a stream's look for what has changed, at the small bot and the large one."""
    took: dict[str, list[float]] = {few: [], many: []}
    for number in range(ROUNDS + 5):
        for bot in (few, many) if number % 2 else (many, few):
            begun = time.perf_counter()
            found = await inbox.versions(connection, Asked(bot))
            if number >= 5:
                took[bot].append((time.perf_counter() - begun) * 1000)
            if len(found) != QUEUED + TAKEN:
                raise SystemExit(f"a look found {len(found)} conversations")
    return median(took[few]), median(took[many])
