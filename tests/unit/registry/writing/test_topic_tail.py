"""What the tail makes of the topic's records."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from registry.writing.topic_tail import ENDED, TopicTail
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record


def record(key: str, version: int | None, generation: int = 1) -> Record:
    value = None if version is None else orjson.dumps({"generation": generation, "version": version})
    return Record("registry", 0, 0, 0, key.encode(), value)


@pytest.fixture
async def tail() -> TopicTail:
    return TopicTail(Cluster("127.0.0.1:1"))


async def test_the_last_version_of_each_key_is_known(tail: TopicTail) -> None:
    tail._receive([record("bot/a", 1), record("bot/b", 1), record("bot/a", 2)])
    assert tail.last == {"bot/a": (1, 2), "bot/b": (1, 1)}
    assert tail.suspects == set()


@pytest.mark.parametrize("late", [record("bot/a", 4), record("bot/a", None), Record("t", 0, 0, 0, b"bot/a", b"[]")])
async def test_a_record_that_goes_back_makes_its_key_a_suspect(tail: TopicTail, late: Record) -> None:
    tail._receive([record("bot/a", 5), late])
    assert tail.suspects == {"bot/a"}


async def test_a_later_generation_goes_before_a_higher_version(tail: TopicTail) -> None:
    tail._receive([record("bot/a", 5), record("bot/a", 3, generation=2)])
    assert tail.last == {"bot/a": (2, 3)}
    assert tail.suspects == set()


async def test_snapshots_are_no_entities(tail: TopicTail) -> None:
    tail._receive([Record("t", 0, 0, 0, b"_snapshot", b'{"generation": 1, "counts": {}}')])
    assert tail.last == {}


async def test_who_waits_for_a_version_hears_of_it_or_a_later_one(tail: TopicTail) -> None:
    waiting = asyncio.create_task(tail.seen({"bot/a": (1, 2), "bot/b": (1, 1)}, 5))
    await asyncio.sleep(0)
    tail._receive([record("bot/a", 1), record("bot/b", 1)])
    await asyncio.sleep(0)
    assert not waiting.done()
    tail._receive([record("bot/a", 3)])
    assert await waiting is True


async def test_a_version_that_does_not_come_is_not_waited_for_longer(tail: TopicTail) -> None:
    tail._receive([record("bot/a", 1)])
    assert await tail.seen({"bot/a": (1, 1)}, 0) is True
    assert await tail.seen({"bot/a": (1, 2)}, 0) is False
    assert await tail.seen({}, 0) is True
    tail._receive([record("bot/a", 2)])
    assert tail.last["bot/a"] > ENDED
