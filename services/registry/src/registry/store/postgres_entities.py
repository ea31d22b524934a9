"""All SQL about entities and what they use. Every write is published by `publications` in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from contracts.registry import Entity, Token
from registry.entities import M, Stored, data_of
from registry.store.postgres import LIMIT_LOCKS, as_json
from servicekit.loop.batches import Connection

if TYPE_CHECKING:
    import asyncpg

COLUMNS = "data::text AS data, extra::text AS extra, version, created_at, updated_at"
INSERT = f"""
    INSERT INTO entity (kind, id, project_id, unique_key, data, extra)
    VALUES ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb) RETURNING {COLUMNS}
"""
UPDATE = f"""
    UPDATE entity SET unique_key = $3, data = $4::text::jsonb, extra = $5::text::jsonb, version = version + 1,
        updated_at = now()
    WHERE kind = $1 AND id = $2 AND deleted_at IS NULL RETURNING {COLUMNS}
"""
NOTE = "UPDATE entity SET extra = $3::text::jsonb WHERE kind = $1 AND id = $2"
DELETE = """
    UPDATE entity SET data = '{}', extra = '{}', unique_key = NULL, version = version + 1, updated_at = now(),
        deleted_at = now()
    WHERE kind = $1 AND id = $2 AND deleted_at IS NULL RETURNING version
"""
SELECT = f"SELECT {COLUMNS} FROM entity WHERE deleted_at IS NULL AND kind = $1"
BY_ID = f"{SELECT} AND id = $2"
BY_UNIQUE_KEY = f"{SELECT} AND unique_key = $2"
TOKEN_BY_SHA256 = f"{SELECT} AND kind = 'token' AND data ->> 'sha256' = $2"
PAGE = f"""
    SELECT {COLUMNS}, seq FROM entity
    WHERE deleted_at IS NULL AND kind = $1 AND ($2::text IS NULL OR project_id = $2) AND seq > $3
        AND data @> $4::text::jsonb
    ORDER BY seq LIMIT $5
"""
MATCHING = f"{SELECT} AND project_id = $2 AND data @> $3::text::jsonb ORDER BY seq"
NOTED_OTHERWISE = f"{SELECT} AND extra ->> $2 <> $3 ORDER BY seq"
KEPT = """
    SELECT count(*) FILTER (WHERE kind = $2) AS number,
        coalesce(sum(size), 0) + (
            SELECT coalesce(sum(flow_draft.size + coalesce(flow_layout.size, 0)), 0)
            FROM entity flow JOIN flow_draft ON flow_draft.flow_id = flow.id LEFT JOIN flow_layout USING (flow_id)
            WHERE flow.kind = 'flow' AND flow.project_id = $1 AND flow.deleted_at IS NULL
        ) AS size
    FROM entity WHERE project_id = $1 AND deleted_at IS NULL
"""
COUNT_ALONE = "SELECT pg_advisory_xact_lock($1, hashtext($2))"
FORGET_USES = "DELETE FROM reference WHERE kind = $1 AND id = $2"
ADD_USES = "INSERT INTO reference (kind, id, to_kind, to_id) SELECT $1, $2, * FROM unnest($3::text[], $4::text[])"
HOLD_USED = """
    SELECT 1 FROM entity JOIN unnest($1::text[], $2::text[]) AS used (kind, id) USING (kind, id)
    WHERE deleted_at IS NULL ORDER BY kind, id FOR SHARE OF entity
"""
USERS = """
    SELECT kind, id, COALESCE(data ->> 'name', data ->> 'slug') AS name
    FROM reference JOIN entity USING (kind, id)
    WHERE to_kind = $1 AND to_id = $2 AND deleted_at IS NULL ORDER BY kind, id LIMIT 100
"""
INHABITANTS = """
    SELECT kind, id, COALESCE(data ->> 'name', data ->> 'slug') AS name
    FROM entity WHERE project_id = $1 AND kind NOT IN ('project', 'flow_version') AND deleted_at IS NULL
    ORDER BY kind, id LIMIT 100
"""


class Kept(NamedTuple):
    """`size`: bytes, as JSON."""

    number: int
    size: int


async def insert(connection: Connection, entity: M, *, extra: dict[str, Any]) -> Stored[M]:
    """Raises asyncpg.UniqueViolationError when the id or the unique name is taken."""
    row = await connection.fetchrow(
        INSERT,
        entity.KIND,
        entity.entity_id,
        entity.owner_id,
        entity.unique_name,
        as_json(data_of(entity)),
        as_json(extra),
    )
    assert row is not None
    return stored(type(entity), row)


async def update(connection: Connection, entity: M, *, extra: dict[str, Any]) -> Stored[M] | None:
    """The entity at its next version; None when it is gone."""
    row = await connection.fetchrow(
        UPDATE, entity.KIND, entity.entity_id, entity.unique_name, as_json(data_of(entity)), as_json(extra)
    )
    return None if row is None else stored(type(entity), row)


async def note(connection: Connection, entity: Entity, extra: dict[str, Any]) -> None:
    await connection.execute(NOTE, entity.KIND, entity.entity_id, as_json(extra))


async def delete(connection: Connection, entity: Entity) -> int | None:
    """The version of the delete, None when it was gone. The row stays without its data, so that versions only grow."""
    version: int | None = await connection.fetchval(DELETE, entity.KIND, entity.entity_id)
    return version


async def find(connection: Connection, model: type[M], id: str, *, lock: str = "") -> Stored[M] | None:
    """`lock`: "FOR UPDATE", "FOR SHARE" or nothing."""
    row = await connection.fetchrow(f"{BY_ID} {lock}", model.KIND, id)
    return None if row is None else stored(model, row)


async def find_unique(connection: Connection, model: type[M], unique_name: str) -> Stored[M] | None:
    row = await connection.fetchrow(BY_UNIQUE_KEY, model.KIND, unique_name)
    return None if row is None else stored(model, row)


async def find_token(connection: Connection, sha256: str) -> Stored[Token] | None:
    row = await connection.fetchrow(TOKEN_BY_SHA256, "token", sha256)
    return None if row is None else stored(Token, row)


async def matching(connection: Connection, model: type[M], project_id: str, fields: dict[str, Any]) -> list[Stored[M]]:
    """All of the project whose data contain `fields`, oldest first: `{"bot_id": …}`."""
    rows = await connection.fetch(MATCHING, model.KIND, project_id, as_json(fields))
    return [stored(model, row) for row in rows]


async def noted_otherwise(connection: Connection, model: type[M], name: str, value: str) -> list[Stored[M]]:
    """All of a kind, of any project, that have something else in `extra` under that name; not those that have nothing."""
    return [stored(model, row) for row in await connection.fetch(NOTED_OTHERWISE, model.KIND, name, value)]


async def page(
    connection: Connection,
    model: type[M],
    project_id: str | None,
    *,
    after: int,
    limit: int,
    fields: dict[str, Any],
) -> tuple[list[Stored[M]], int | None]:
    """Up to `limit` entities made after position `after`, and the position to go on from (None: that was all)."""
    rows = await connection.fetch(PAGE, model.KIND, project_id, after, as_json(fields), limit + 1)
    following = rows[limit - 1]["seq"] if len(rows) > limit else None
    return [stored(model, row) for row in rows[:limit]], following


async def kept(connection: Connection, project_id: str, kind: str) -> Kept:
    """What a project has: how many of a kind, and bytes of all, drafts and layouts of flows included."""
    row = await connection.fetchrow(KEPT, project_id, kind)
    assert row is not None
    return Kept(*row)


async def count_alone(connection: Connection, project_id: str) -> None:
    """Wait until no other write of the project has counted and not ended."""
    await connection.execute(COUNT_ALONE, LIMIT_LOCKS, project_id)


async def use(connection: Connection, entity: Entity, used: list[tuple[str, str]]) -> bool:
    """Remember what this entity uses, and hold it until the commit; False when some of it was deleted meanwhile."""
    kinds, ids = [kind for kind, _ in used], [id for _, id in used]
    await connection.execute(FORGET_USES, entity.KIND, entity.entity_id)
    if not used:
        return True
    held = await connection.fetch(HOLD_USED, kinds, ids)
    await connection.execute(ADD_USES, entity.KIND, entity.entity_id, kinds, ids)
    return len(held) == len(used)


async def users(connection: Connection, entity: Entity) -> list[dict[str, Any]]:
    """Who uses it: `{kind, id, name}`, at most 100."""
    return [dict(row) for row in await connection.fetch(USERS, entity.KIND, entity.entity_id)]


async def inhabitants(connection: Connection, project_id: str) -> list[dict[str, Any]]:
    """What a project still holds, as `users` lists it."""
    return [dict(row) for row in await connection.fetch(INHABITANTS, project_id)]


def stored(model: type[M], row: asyncpg.Record) -> Stored[M]:
    return Stored(
        entity=model.model_validate_json(row["data"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        extra=orjson.loads(row["extra"]),
    )
