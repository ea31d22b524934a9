"""An engine's process is killed in the middle of imports and merges: nothing is done twice, nothing half."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from typing import Any
from uuid import UUID

import orjson
import pytest

from contracts.cloudevents import TYPE_PREFIX
from contracts.partitioner import partition_for
from support.engine import PARTITIONS, RunningEngine, engine_on
from support.engine_flows import LECTURE
from support.engine_world import BOT, PROJECT
from support.waiting import eventually

LINES, PAIRS = 40, 3
MAKE = """
INSERT INTO contact (id, project_id, bot_id, profile, tags, flags, created_at)
VALUES ($1, $2, $3, jsonb_build_object('name', $4::text), ARRAY[$4::text], '{}', now())
"""


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """Not at work yet."""
    async with engine_on(kafka, database, LECTURE) as made:
        yield made


def key_of(name: str) -> str:
    return f"{BOT}/-/{name}"


def in_one_partition(pattern: str) -> Iterator[str]:
    """Names by whose keys records lie in the first partition, so that one batch has them all."""
    names = (pattern.format(number) for number in count(1))
    return (name for name in names if partition_for(key_of(name).encode(), PARTITIONS) == 0)


def imported(number: int) -> dict[str, Any]:
    profile = {"name": f"Person {number}", "external_id": f"c-{number}"} if number % 2 else {"name": f"Person {number}"}
    id = f"6b1c2c64-0000-5000-8000-{number:012x}"
    return {"line": number, "event_id": id, "digest": f"d{number}", "profile": profile, "add_tags": ["new"]}


@pytest.mark.seconds(60)
async def test_imports_and_merges_of_an_engine_that_is_killed_are_made_once_and_whole(engine: RunningEngine) -> None:
    """It dies before its commit, and between the commit and the publishing; meanwhile everything is sent again, the file in
    other portions."""
    file = next(in_one_partition("import-{}"))
    survivors = list(islice(in_one_partition("0198f0c2-0000-7000-8000-{:012x}"), PAIRS))
    others = [id.replace("-8000-", "-9000-") for id in survivors]
    for id in (*survivors, *others):
        await engine.pool.execute(MAKE, UUID(id), PROJECT, BOT, f"of {id}")

    async def lay(portion: int) -> None:
        for start in range(1, LINES + 1, portion):
            lines = [imported(number) for number in range(start, start + portion)]
            await engine.send("contact_import", "-", channel="-", key=key_of(file), lines=lines)
        for id, other in zip(survivors, others, strict=True):
            about = {"id": f"merge-{id}", "request_digest": "d", "merge": other}
            await engine.send("contact_update", "-", channel="-", key=key_of(id), **about)

    await lay(20)
    await engine.killed("in_txn")
    assert await contacts(engine) == 2 * PAIRS
    await engine.killed("after_commit")
    assert await contacts(engine) == 2 * PAIRS + LINES
    assert await engine.out("events") == []
    await lay(8)
    await engine.send("contact_import", "-", channel="-", key=key_of(file), lines=[imported(LINES + 1)])
    await engine.start()
    await eventually(lambda: all_told(engine, survivors, others), seconds=30)
    versions = await engine.pool.fetch("SELECT version FROM contact WHERE profile ->> 'name' LIKE 'Person%'")
    assert [row["version"] for row in versions] == [1] * (LINES + 1)


async def contacts(engine: RunningEngine) -> Any:
    return await engine.pool.fetchval("SELECT count(*) FROM contact")


async def all_told(engine: RunningEngine, survivors: list[str], others: list[str]) -> bool:
    """The line behind all others is there; each has made one contact, each merge joined two; each was told of once, and nothing
    waits to be told."""
    told: dict[str, dict[str, Any]] = {}
    for record in await engine.out("events"):
        about = dict(record.headers)
        type = (about["ce_type"] or b"").decode().removeprefix(TYPE_PREFIX)
        told[(about["ce_id"] or b"").decode()] = {"type": type, **orjson.loads(record.value or b"")["data"]}
    made = [one["contact"]["name"] for one in told.values() if one["type"] == "contact.created"]
    assert sorted(name for name in made if name.startswith("Person")) == sorted(
        f"Person {n}" for n in range(1, LINES + 2)
    )
    gained = [one["tag"] for one in told.values() if one["type"] == "tag.added" and one["contact"]["id"] in survivors]
    assert sorted(gained) == sorted(f"of {id}" for id in others)
    rows = await engine.pool.fetch(
        "SELECT id, version, merged_into, tags FROM contact WHERE id = ANY($1)", survivors + others
    )
    joined = {
        str(row["id"]): (row["version"], row["merged_into"] and str(row["merged_into"]), row["tags"]) for row in rows
    }
    for id, other in zip(survivors, others, strict=True):
        assert joined[id] == (2, None, [f"of {id}", f"of {other}"])
        assert joined[other][1] == id
    return bool(await engine.pool.fetchval("SELECT count(*) FROM outbox") == 0)
