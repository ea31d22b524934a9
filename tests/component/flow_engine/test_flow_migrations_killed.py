"""An engine's process is killed at the steps of a flow migration: it goes on, and each conversation is moved and counted once."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator

import pytest

from contracts.ids import new_id
from flow_engine.store import flow_migrations
from support.engine import RunningEngine, engine_on
from support.engine_flows import LECTURE
from support.engine_world import BOT, FLOW, PROJECT, flow, flow_version
from support.waiting import eventually

PEERS = [f"p{number}" for number in range(12)]


@pytest.fixture
async def engine(kafka: str, database: str) -> AsyncIterator[RunningEngine]:
    """Not at work yet."""
    async with engine_on(kafka, database, LECTURE) as made:
        yield made


@pytest.mark.seconds(120)
async def test_whom_an_engine_moves_that_is_killed_is_moved_and_counted_once(engine: RunningEngine) -> None:
    """It dies in the walk's step and after it, and in the turns that its records make and after them. Who was to be moved answers
    in the end, and is told by the new version, once."""
    for peer in PEERS:
        await engine.say("/start", peer)
    await engine.start()
    await eventually(lambda: standing(engine, 1, len(PEERS)), seconds=30)
    await eventually(lambda: is_quiet(engine))
    await engine.stop()
    newer = copy.deepcopy(LECTURE)
    newer["nodes"]["kafka"]["parts"] = [{"text": "Kafka 2."}]
    await engine.registry.put(flow_version(newer, version=2), flow("lecture", published=2))
    async with engine.pool.acquire() as connection:
        id = await flow_migrations.make(connection, new_id(), PROJECT, BOT, FLOW, 2)
    await engine.killed("migration_noted")
    assert await engine.pool.fetchval("SELECT found FROM flow_migration") == 0
    await engine.killed("after_commit")
    assert await engine.pool.fetchval("SELECT found FROM flow_migration") == len(PEERS)
    await engine.killed("in_txn")
    assert await standing(engine, 1, len(PEERS))
    await engine.killed("after_commit")
    assert not await standing(engine, 1, len(PEERS))
    for peer in PEERS:
        await engine.say("1", peer)
    with engine.process(""):
        await eventually(lambda: is_completed(engine, id), seconds=30)
        await eventually(lambda: all_said(engine, "Kafka 2."), seconds=30)
        await eventually(lambda: is_quiet(engine))
    counted = await engine.pool.fetch("SELECT outcome, sum(number)::int AS n FROM flow_migration_count GROUP BY 1")
    assert [tuple(row) for row in counted] == [("moved", len(PEERS))]


async def standing(engine: RunningEngine, version: int, people: int) -> bool:
    """Whether so many are in the middle of a version."""
    there = "SELECT count(*) FROM conversation WHERE flow_version = $1 AND node = 'ask'"
    return bool(await engine.pool.fetchval(there, version) == people)


async def is_completed(engine: RunningEngine, id: str) -> bool:
    return bool(await engine.pool.fetchval("SELECT state = 'completed' FROM flow_migration WHERE id = $1", id))


async def is_quiet(engine: RunningEngine) -> bool:
    """Kafka has all that was committed."""
    return bool(await engine.pool.fetchval("SELECT count(*) FROM outbox") == 0)


async def all_said(engine: RunningEngine, text: str) -> bool:
    return all([(await engine.said(peer))[1:] == [text] for peer in PEERS])
