"""Flow migrations: the jobs, how far their walks are, what became of conversations, and where conversations are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from flow_engine.state import stored_state
from flow_engine.state.work import Work
from flowlang.model import Conversation
from servicekit.columns import Columns
from servicekit.loop.batches import Connection

CALLERS = 2**31 - 1
"""In the place of a version: the walk has come to conversations in which the flow has called another one."""
NOBODY = UUID(int=0)
"""In the place of a conversation: no name of one stays when a migration is over."""
MOST_CALLERS = 10_000
"""Of these so many are looked at to count them beforehand."""
AT_ONCE = 50
"""So many of them in one piece: to read one and look whether it fits takes 40 µs, of a large state more."""
_CALLS = "string_to_array(called_from, ' ') @> ARRAY[$1::text]"
_STANDING = f"""
SELECT id, key, flow_version FROM conversation
 WHERE flow_id = $1 AND flow_version {{side}} $2 AND (flow_version, id) > ($3, $4) AND (called_from IS NULL OR NOT {_CALLS})
 ORDER BY flow_version, id LIMIT $5
"""
_NEXT = f"""
SELECT * FROM (
    SELECT * FROM ({_STANDING.format(side="<")}) before UNION ALL SELECT * FROM ({_STANDING.format(side=">")}) behind
) found ORDER BY flow_version, id LIMIT $5
"""
_NEXT_CALLERS = f"""
SELECT id, key, {CALLERS} AS flow_version FROM conversation
 WHERE called_from IS NOT NULL AND {_CALLS} AND ({CALLERS}, id) > ($2, $3) ORDER BY id LIMIT $4
"""
_COUNT = f"""
SELECT flow_version AS version, coalesce(node, '') AS node, count(*) AS conversations FROM conversation
 WHERE flow_id = $1 AND flow_version <> $2 AND (called_from IS NULL OR NOT {_CALLS}) GROUP BY 1, 2 ORDER BY 1, 2
"""
_CALLERS = f"SELECT key, state, version FROM conversation WHERE called_from IS NOT NULL AND {_CALLS} LIMIT $2"
_END = f"UPDATE flow_migration SET state = $2, ended_at = now(), last = '{NOBODY}' WHERE id = $1 AND state = 'running'"
_SUPERSEDE = f"""
UPDATE flow_migration SET state = 'superseded', ended_at = now(), last = '{NOBODY}' WHERE flow_id = $1 AND to_version <> $2 AND state = 'running'
"""
_MAKE = """
INSERT INTO flow_migration (id, project_id, bot_id, flow_id, to_version) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (flow_id) WHERE state = 'running' DO NOTHING
"""
_OF_FLOW = "SELECT id FROM flow_migration WHERE flow_id = $1 AND state = 'running'"
_RUNNING = "SELECT id FROM flow_migration WHERE state = 'running' ORDER BY id"
_HOLD = """
SELECT id, project_id, bot_id, flow_id, to_version, version, last, walked, found - given_up AS awaited,
       extract(epoch FROM now() - stepped_at)::float8 AS idle, extract(epoch FROM now() - created_at)::float8 AS age
  FROM flow_migration WHERE id = $1 AND state = 'running' FOR UPDATE SKIP LOCKED
"""
_SETTLED = "SELECT coalesce(sum(number), 0)::bigint FROM flow_migration_count WHERE migration = $1"
_ADVANCE = """
UPDATE flow_migration SET version = $2, last = $3, walked = $4, found = found + $5,
       stepped_at = CASE WHEN $5 > 0 THEN now() ELSE stepped_at END
 WHERE id = $1
"""
_GIVE_UP = "UPDATE flow_migration SET given_up = given_up + $2, stepped_at = now() WHERE id = $1"
_SHOWN = "SELECT id, project_id, flow_id, to_version, state, walked, found, created_at, ended_at FROM flow_migration"
_FIND = f"{_SHOWN} WHERE id = $1 AND project_id = $2"
_PAGE = f"""
{_SHOWN} WHERE project_id = $1 AND ($2::text IS NULL OR flow_id = $2) AND ($3::uuid IS NULL OR id < $3)
 ORDER BY id DESC LIMIT $4
"""
_OUTCOMES = """
SELECT migration, outcome, sum(number)::bigint AS conversations FROM flow_migration_count
 WHERE migration = ANY ($1::uuid[]) GROUP BY 1, 2
"""
_COUNTS = """
SELECT outcome, version, node, reason, sum(number)::bigint AS conversations FROM flow_migration_count
 WHERE migration = $1 GROUP BY 1, 2, 3, 4 ORDER BY 2, 3, 1, 4
"""


class _Row(NamedTuple):
    migration: str
    part: int
    outcome: str
    version: int
    node: str
    reason: str
    number: int


COUNTED = Columns(_Row, "uuid int text int text text bigint")
_SAVE = f"""
{COUNTED.insert("flow_migration_count")}
ON CONFLICT (migration, part, outcome, version, node, reason)
DO UPDATE SET number = flow_migration_count.number + excluded.number
"""


class Found(NamedTuple):
    """A conversation that the walk comes to. `flow_version`: its place in the walk, with its id."""

    id: str
    key: str
    flow_version: int


class Standing(NamedTuple):
    """How many conversations wait at a node of a version."""

    version: int
    node: str
    conversations: int


class Job(NamedTuple):
    """A migration in the hands of a transaction. `on_the_way`: records that are waited for; `idle`, `age`: seconds since the last
    step that wrote some, and since it was made."""

    id: str
    project_id: str
    bot_id: str
    flow_id: str
    to_version: int
    version: int
    last: str
    walked: bool
    on_the_way: int
    idle: float
    age: float


class Counted(NamedTuple):
    """How many conversations an outcome has, of those that were at a node of a version."""

    outcome: str
    version: int
    node: str
    reason: str
    conversations: int


class Shown(NamedTuple):
    """A migration."""

    id: str
    project_id: str
    flow_id: str
    to_version: int
    state: str
    walked: bool
    found: int
    created_at: datetime
    ended_at: datetime | None


async def save(work: Work, connection: Connection) -> None:
    """Count what became of the conversations of a batch."""
    if work.migrated:
        rows = [_Row(*migrated, count) for migrated, count in sorted(work.migrated.items())]
        await connection.execute(_SAVE, *COUNTED.arrays(rows))


async def standing(connection: Connection, flow_id: str, to: int) -> list[Standing]:
    """Who waits at nodes of other versions than `to`, without those of `callers`."""
    return [Standing(*row) for row in await connection.fetch(_COUNT, flow_id, to)]


async def callers(connection: Connection, flow_id: str) -> AsyncIterator[Conversation]:
    """Conversations in which the flow waits for another one, MOST_CALLERS at most, a few at a time. In a transaction."""
    async for row in connection.cursor(_CALLERS, flow_id, MOST_CALLERS, prefetch=AT_ONCE):
        yield stored_state.decode(row["state"], key=row["key"], contact_id="", version=row["version"])


async def make(connection: Connection, id: str, project_id: str, bot_id: str, flow_id: str, to: int) -> str:
    """Begin a migration, unless the same one is running; its id. One to another version is over."""
    async with connection.transaction():
        await connection.execute(_SUPERSEDE, flow_id, to)
        await connection.execute(_MAKE, id, project_id, bot_id, flow_id, to)
        return str(await connection.fetchval(_OF_FLOW, flow_id))


async def running(connection: Connection) -> list[str]:
    """The ids of those that are not over."""
    return [str(row["id"]) for row in await connection.fetch(_RUNNING)]


async def hold(connection: Connection, id: str) -> Job | None:
    """The migration, which nobody else takes further until the transaction ends; None: somebody does, or it is over."""
    row = await connection.fetchrow(_HOLD, id)
    if row is None:
        return None
    told = dict(row) | {"id": str(row["id"]), "last": str(row["last"])}
    told["on_the_way"] = told.pop("awaited") - await connection.fetchval(_SETTLED, id)
    return Job(**told)


async def following(connection: Connection, job: Job, limit: int) -> list[Found]:
    """The next conversations, at most `limit`."""
    rows: Sequence[Any] = ()
    if job.version < CALLERS:
        rows = await connection.fetch(_NEXT, job.flow_id, job.to_version, job.version, job.last, limit)
    if len(rows) < limit:
        left = limit - len(rows)
        rows = [*rows, *await connection.fetch(_NEXT_CALLERS, job.flow_id, job.version, job.last, left)]
    return [Found(str(row["id"]), row["key"], row["flow_version"]) for row in rows]


async def advance(connection: Connection, job: Job, found: Sequence[Found], *, walked: bool) -> None:
    """It has come to these; `walked`: to the last."""
    version, last = (found[-1].flow_version, found[-1].id) if found else (job.version, job.last)
    await connection.execute(_ADVANCE, job.id, version, last, walked, len(found))


async def give_up(connection: Connection, job: Job) -> None:
    """Those on the way are waited for no more; they are counted when they come."""
    await connection.execute(_GIVE_UP, job.id, job.on_the_way)


async def end(connection: Connection, id: str, state: str) -> None:
    """It is over."""
    await connection.execute(_END, id, state)


async def find(connection: Connection, project_id: str, id: str) -> tuple[Shown, list[Counted]] | None:
    """A migration of the project, and what became of conversations so far."""
    row = await connection.fetchrow(_FIND, id, project_id)
    if row is None:
        return None
    return _shown(row), [Counted(*one) for one in await connection.fetch(_COUNTS, id)]


async def page(
    connection: Connection, project_id: str, flow_id: str | None, after: str | None, limit: int
) -> list[tuple[Shown, dict[str, int]]]:
    """The newest first, each with its conversations by outcome; `after` is the last one's id. Ids rise with time."""
    found = [_shown(row) for row in await connection.fetch(_PAGE, project_id, flow_id, after, limit)]
    outcomes: dict[str, dict[str, int]] = {one.id: {} for one in found}
    for migration, outcome, conversations in await connection.fetch(_OUTCOMES, list(outcomes)):
        outcomes[str(migration)][outcome] = conversations
    return [(one, outcomes[one.id]) for one in found]


def _shown(row: Any) -> Shown:
    return Shown(**(dict(row) | {"id": str(row["id"])}))
