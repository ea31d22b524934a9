"""Two living replicas with one instance name: the one that came last works on, the other one says why it does not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

import asyncpg

from support.ledger import Ledger, make_loop, produce, running, turns
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_of_two_replicas_with_one_name_the_later_one_works_and_the_other_one_says_why_not(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger(topic, out, pool)
    first, second = make_loop(ledger, kafka), make_loop(ledger, kafka)

    async def has(count: int) -> bool:
        return await turns(pool) == count

    async with running(first), AsyncExitStack() as stack:
        await eventually(lambda: first.assigned == {0})
        await stack.enter_async_context(running(second))
        # At once, although the one that it takes the place of has not ended.
        await eventually(lambda: second.assigned == {0})
        await eventually(lambda: first.problem() is not None)
        assert first.problem() == (
            f"{topic}: another process runs as instance a: give each replica its own SWITCHHOOK_INSTANCE"
        )
        taken_on = len(ledger.assigned)
        for count in (10, 20, 30):
            await produce(kafka, topic, [("k", 1)] * 10)
            await eventually(lambda count=count: has(count))
        assert (first.assigned, second.assigned, len(ledger.assigned)) == (set(), {0}, taken_on)
        assert second.problem() is None
        await stack.aclose()
        # Once Kafka has forgotten the other one.
        await eventually(lambda: first.assigned == {0}, seconds=20)
        assert first.problem() is None
