"""What a step of a broadcast reads: as much as it takes along, however many contacts and recipients there are."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import pytest

from flow_engine.state.broadcasts import RecipientChange
from flow_engine.store import broadcast_walk as walks
from flow_engine.store import recipients
from flow_engine.store.broadcast_walk import Step
from flow_engine.store.contact_lists import CONVERSATIONS, LAST
from support.engine_database import engine_pool

PEOPLE, REACHED, AT_ONCE = 20_000, 5_000, 20
MAKE_CONTACTS = """
INSERT INTO contact (id, project_id, bot_id) SELECT gen_random_uuid(), 'p', 'bot-' || i % 2 FROM generate_series(1, $1::int) i
"""
MAKE_CONVERSATIONS = """
INSERT INTO conversation (id, key, contact_id, version, state, seen)
SELECT gen_random_uuid(), 'b/c/' || id, id, 1, '{}', '' FROM contact
"""
BROADCAST = """
INSERT INTO broadcast (id, project_id, bot_id, flow_id, variables, rate, starts_at, until, state)
VALUES ($1, 'p', 'bot-1', 'f', '{}', 100, now(), now() + interval '1 day', 'running')
"""
WALK = "INSERT INTO broadcast_walk (broadcast, owner, lease_until) VALUES ($1, 'me', now() + interval '1 hour')"
RECIPIENTS = """
INSERT INTO broadcast_recipient (broadcast, contact, outcome)
SELECT $1, id, CASE WHEN row_number() OVER () <= $3 THEN 'sending' ELSE 'started' END FROM contact LIMIT $2
"""


@pytest.mark.seconds(30)
async def test_a_step_reads_what_it_takes_along(module_database: str) -> None:
    id = str(uuid4())
    async with engine_pool(module_database) as pool, pool.acquire() as connection:
        await connection.execute(MAKE_CONTACTS, PEOPLE)
        await connection.execute(MAKE_CONVERSATIONS)
        await connection.execute("ANALYZE contact, conversation")
        await connection.execute(BROADCAST, id)
        await connection.execute(WALK, id)
        await connection.execute(RECIPIENTS, id, REACHED, AT_ONCE)  # Nothing is known of a young broadcast's rows.
        found = await connection.fetch("SELECT contact FROM broadcast_recipient WHERE outcome = 'sending'")
        some = [str(row["contact"]) for row in found]
        changes = [RecipientChange(id, one, 3, "started") for one in some]
        steps = [Step(one, "sending", None, None, None, is_new=True) for one in some]
        statements: dict[str, tuple[Any, ...]] = {
            walks._PAGE: (id, "bot-1", LAST, AT_ONCE),
            walks._DUE: (id, AT_ONCE),
            CONVERSATIONS: (some, walks.MOST_PLACES),
            walks._MINE: ("me", AT_ONCE),
            recipients._READ: ([id] * len(some), some),
            walks._NOTE: (id, *walks.STEPS.arrays(steps)),
            recipients._SETTLE: tuple(recipients.CHANGES.arrays(changes)),
        }
        looked_at = {
            sql.split()[0] + sql[-60:]: await rows_of(connection, sql, *given) for sql, given in statements.items()
        }
    assert max(looked_at.values()) <= 12 * AT_ONCE, looked_at


async def rows_of(connection: asyncpg.Connection[Any] | Any, sql: str, *given: Any) -> float:
    """How many rows its plan looked at."""
    plan = orjson.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", *given))[0]["Plan"]
    count, nodes = 0.0, [plan]
    while nodes:
        node = nodes.pop()
        removed = sum(value for name, value in node.items() if name.startswith("Rows Removed"))
        count += (node["Actual Rows"] + removed) * node["Actual Loops"]
        nodes += node.get("Plans", [])
    return count
