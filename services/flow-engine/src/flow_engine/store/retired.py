"""Flow versions that nobody may start on any more, and those that conversations stand on."""

from __future__ import annotations

from collections.abc import Mapping

from contracts import inbound
from flow_engine.catalogue.port import Retired
from servicekit.checkpoints import fence
from servicekit.loop.batches import Connection

STANDING = r'"flow_id":"([^"]+)","flow_version":(\d+)'
"""How a stored conversation names a version: its sessions and buttons do (flowlang.model). What a person or program wrote
is inside a JSON string, where quotes have backslashes, or in an object that looks like this: then a version is kept in vain."""
_THROUGH = "SELECT flow_id, generation, through FROM retired_version"
_NEW = """
SELECT EXISTS (
    SELECT FROM unnest($2::text[], $3::int[]) AS wanted (flow_id, through) LEFT JOIN retired_version r USING (flow_id)
    WHERE r.flow_id IS NULL OR (r.generation, r.through) < ($1, wanted.through)
)
"""
_RETIRE = """
INSERT INTO retired_version AS r (generation, flow_id, through) SELECT $1, * FROM unnest($2::text[], $3::int[])
ON CONFLICT (flow_id) DO UPDATE SET generation = excluded.generation, through = excluded.through
WHERE (r.generation, r.through) < (excluded.generation, excluded.through)
"""
_STOOD_ON = """
WITH portion AS (
    SELECT id, state FROM conversation WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
)
SELECT (SELECT id FROM portion ORDER BY id DESC LIMIT 1)::text AS last,
       ARRAY(
           SELECT DISTINCT found[1] || '/' || found[2]
             FROM portion, regexp_matches(convert_from(state, 'UTF8'), $3, 'g') AS found
       ) AS versions
"""


async def through(connection: Connection) -> dict[str, Retired]:
    """By flow id."""
    rows = await connection.fetch(_THROUGH)
    return {row["flow_id"]: Retired(row["generation"], row["through"]) for row in rows}


async def retire(connection: Connection, generation: int, wanted: Mapping[str, int]) -> bool:
    """Once this is committed nobody comes to stand on these; False when that was so already. See ADR-0034."""
    arrays = (generation, list(wanted), list(wanted.values()))
    if not await connection.fetchval(_NEW, *arrays):
        return False
    async with connection.transaction():
        await fence.renew(connection, inbound.TOPIC.name)
        await connection.execute(_RETIRE, *arrays)
    return True


async def stood_on(connection: Connection, after: str | None, limit: int) -> tuple[set[str], str | None]:
    """`<flow>/<n>` of the versions that the next conversations stand on, and the last of their ids (None: none are left)."""
    row = await connection.fetchrow(_STOOD_ON, after, limit, STANDING)
    assert row is not None
    return set(row["versions"]), row["last"]
