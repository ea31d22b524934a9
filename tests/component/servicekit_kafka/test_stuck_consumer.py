"""What aiokafka does not leave by itself: the loop makes a fresh consumer and goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import asyncpg
import pytest
from aiokafka import TopicPartition

from servicekit.kafka import group_reader
from support.ledger import Ledger, make_loop, produce, read_all, rows, running, turns, without_repeats
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


def end_fetcher(consumer: Any, topic: str) -> None:
    consumer._fetcher._fetch_task.cancel()


def end_coordination(consumer: Any, topic: str) -> None:
    consumer._coordinator._coordination_task.cancel()


def stand_still(consumer: Any, topic: str) -> None:
    consumer.pause(TopicPartition(topic, 0))


async def end_metadata(consumer: Any) -> None:
    """The task that asks for the cluster's metadata fails, and whoever waits for them waits for ever."""
    client = consumer._client
    client._sync_task.cancel()
    client._sync_task = asyncio.create_task(_fails())
    await asyncio.wait([client._sync_task])
    client._md_update_fut = asyncio.get_running_loop().create_future()


async def _fails() -> None:
    raise RuntimeError("the handler is closed")


@pytest.mark.parametrize("break_it", [end_fetcher, end_coordination, stand_still])
async def test_a_stuck_consumer_is_replaced(
    kafka: str,
    pool: Pool,
    make_topic: MakeTopic,
    monkeypatch: pytest.MonkeyPatch,
    break_it: Callable[[Any, str], None],
) -> None:
    monkeypatch.setattr(group_reader, "CHECK_SECONDS", 1.0)
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka)

    async def has(count: int) -> bool:
        return await turns(pool) == count

    async def nothing_unsent() -> bool:
        return await rows(pool) == 0

    async with running(loop):
        await produce(kafka, topic, [("k", 1)] * 10)
        await eventually(lambda: has(10))
        stuck = loop._reader.consumer
        break_it(stuck, topic)
        await produce(kafka, topic, [("k", 1)] * 10)
        await eventually(lambda: has(20), seconds=30)
        await eventually(nothing_unsent, seconds=30)
        assert loop._reader.consumer is not stuck
    assert len(without_repeats(await read_all(kafka, out))) == 20


async def test_a_consumer_that_cannot_tell_the_logs_bounds_is_replaced(
    kafka: str, pool: Pool, make_topic: MakeTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen after a broker outage: recovery asked the same consumer again and again, and the service stayed ready."""
    monkeypatch.setattr(group_reader, "ANSWER_SECONDS", 1.0)
    topic, out = await make_topic("in"), await make_topic("out")
    loop = make_loop(Ledger(topic, out, pool), kafka)

    async def has(count: int) -> bool:
        return await turns(pool) == count

    async with running(loop):
        await produce(kafka, topic, [("k", 1)] * 10)
        await eventually(lambda: has(10))
        [part] = loop._assignment.partitions.values()
        await end_metadata(loop._reader.consumer)
        loop._assignment.recover(part, "unknown")
        await produce(kafka, topic, [("k", 1)] * 10)
        await eventually(lambda: has(20), seconds=30)
