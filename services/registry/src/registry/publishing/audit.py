"""Compares the topic with the table, and publishes a row again wherever the topic ends with another version.

This mends what a leader published after it had been replaced, a topic that was lost or made anew, and a lost delete marker. A topic that is
ahead of the table is never written over: the database went back in time, and an operator has to say what holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import structlog

from contracts.registry import ENTITY_MODELS, EntityRecord, entity_key
from registry.store import publications
from registry.writing.topic_tail import ENDED, TopicTail, Version
from servicekit.loop.batches import Connection

CHUNK = 500
UNBURIED = """
    SELECT kind, id, version FROM entity
    WHERE NOT buried AND NOT EXISTS (SELECT 1 FROM publication WHERE key = kind || '/' || id)
"""
LEFT = "flow_version/"
KNOWN = "SELECT kind || '/' || id AS key FROM entity"
UNBURIED_OF = f"{UNBURIED} AND kind || '/' || id = ANY($1::text[])"
LOCKED = """
    SELECT kind, id, project_id, version, data::text AS data, deleted_at IS NOT NULL AS deleted
    FROM entity JOIN unnest($1::text[], $2::text[]) AS wanted (kind, id) USING (kind, id)
    WHERE NOT buried ORDER BY kind, id FOR UPDATE OF entity
"""

Rows = dict[tuple[str, str], Version]
log = structlog.get_logger()


async def rows(connection: Connection, keys: Iterable[str] | None = None) -> Rows:
    """(kind, id) -> version of what should be on the topic by now; `keys` None: of everything."""
    generation = await publications.generation(connection)
    found = await (
        connection.fetch(UNBURIED) if keys is None else connection.fetch(UNBURIED_OF, list(keys))
    )  # fmt: skip
    return {(row["kind"], row["id"]): (generation, row["version"]) for row in found}


def behind(table: Rows, topic: Mapping[str, Version]) -> list[tuple[str, str]]:
    """What the topic shows at an older version than the table, or not at all."""
    return [entity for entity, version in table.items() if topic.get(entity_key(*entity), ENDED) < version]


def ahead(table: Rows, topic: Mapping[str, Version]) -> list[tuple[str, str]]:
    """What the topic shows at a version that the table has not reached."""
    return [entity for entity, version in table.items() if topic.get(entity_key(*entity), ENDED) > version]


async def unknown(connection: Connection, tail: TopicTail) -> list[str]:
    """Keys of entities that live on the topic and that the table never had: they were made after the backup. Those that end
    anyway as soon as the relay has published are none of them, nor are flow versions: conversations may stand on them."""
    there = tail.last.keys() - tail.deleted  # First: what comes meanwhile has its row already.
    known = {row["key"] for row in await connection.fetch(KNOWN)} | await publications.waiting_keys(connection)
    return sorted(key for key in there - known if not key.startswith(LEFT))


async def publish_again(connection: Connection, entities: list[tuple[str, str]]) -> None:
    """Hand the current rows to the relay, in order with other writes to them."""
    for start in range(0, len(entities), CHUNK):
        kinds, ids = zip(*entities[start : start + CHUNK], strict=True)
        async with connection.transaction():
            generation = await publications.generation(connection)
            for row in await connection.fetch(LOCKED, list(kinds), list(ids)):
                await publications.add_record(connection, _record(dict(row), generation))
    if entities:
        log.warning("registry.published_again", entities=len(entities))


def _record(row: dict[str, object], generation: int) -> EntityRecord:
    model = ENTITY_MODELS[str(row["kind"])]
    entity = (
        {} if row["deleted"] else model.model_validate_json(str(row["data"])).model_dump(mode="json", exclude_none=True)
    )
    return EntityRecord.model_validate(row | {"data": entity, "generation": generation})
