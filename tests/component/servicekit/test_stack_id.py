"""A database remembers which installation's registry its service saw first, and another one's is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import pytest

from servicekit.registry_view import stack_id
from servicekit.registry_view.stack_id import STACK_TABLE, StackId, Stranger
from support.waiting import eventually

ONE, OTHER = "installation-1", "installation-2"
Pool = asyncpg.Pool


class Topic:
    """What the last snapshot marker says."""

    def __init__(self, says: str | None) -> None:
        self.says = says

    def __call__(self) -> str | None:
        return self.says


@pytest.fixture
async def pool(database: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pool]:
    monkeypatch.setattr(stack_id, "LOOK_SECONDS", 0.01)
    async with asyncpg.create_pool(database, min_size=1, max_size=2) as made:
        await made.execute(STACK_TABLE)
        yield made


async def remembered(pool: Pool) -> str | None:
    return await pool.fetchval("SELECT id FROM stack")


@contextlib.asynccontextmanager
async def at_once() -> AsyncIterator[None]:
    async with asyncio.timeout(5):
        yield


async def test_the_first_that_is_seen_is_remembered(pool: Pool) -> None:
    async with at_once():
        await StackId(Topic(ONE)).settle(pool)
        await StackId(Topic(ONE)).settle(pool)
    assert await remembered(pool) == ONE


async def test_a_registry_from_before_there_were_ids_is_nobodys(pool: Pool) -> None:
    async with at_once():
        await StackId(Topic(None)).settle(pool)
        assert await remembered(pool) is None
        await StackId(Topic(ONE)).settle(pool)
        await StackId(Topic(None)).settle(pool)
    assert await remembered(pool) == ONE


async def test_a_stranger_is_refused_in_a_sentence_until_it_is_mended(pool: Pool) -> None:
    async with at_once():
        await StackId(Topic(ONE)).settle(pool)
    topic = Topic(OTHER)
    ours = StackId(topic)
    settling = asyncio.create_task(ours.settle(pool))
    said = await eventually(ours.problem)
    assert f"belongs to the installation {ONE}, the registry's topic to {OTHER}" in said
    assert "SWITCHHOOK_DATABASE" in said
    assert not settling.done()
    topic.says = ONE
    async with at_once():
        await settling
    assert ours.problem() is None


async def test_a_database_that_was_emptied_of_its_id_adopts_the_other_one(pool: Pool) -> None:
    async with at_once():
        await StackId(Topic(ONE)).settle(pool)
        settling = asyncio.create_task(StackId(Topic(OTHER)).settle(pool))
        await pool.execute("DELETE FROM stack")
        await settling
    assert await remembered(pool) == OTHER


async def test_a_topic_that_becomes_another_installations_ends_the_work(pool: Pool) -> None:
    topic = Topic(None)
    ours = StackId(topic)
    async with at_once():
        await ours.settle(pool)
        keeping = asyncio.create_task(ours.keep(pool))
        topic.says = ONE
        await eventually(lambda: remembered(pool))
        topic.says = OTHER
        with pytest.raises(Stranger, match=f"{ONE}.*{OTHER}"):
            await keeping


async def test_the_registry_makes_an_id_once(pool: Pool) -> None:
    async with at_once():
        await StackId(Topic(None), makes=True).settle(pool)
        made = await remembered(pool)
        await StackId(Topic(None), makes=True).settle(pool)
    assert made
    assert await remembered(pool) == made


async def test_a_restored_registry_without_an_id_takes_its_topics(pool: Pool) -> None:
    """A backup from before there were ids: the services have the topic's."""
    async with at_once():
        await StackId(Topic(ONE), makes=True).settle(pool)
    assert await remembered(pool) == ONE
