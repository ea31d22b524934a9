"""A log that was lost and is accepted: what follows is applied, all of it and once, and nobody is restarted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_partitions import NewPartitions

from operations.checkpoints import accept_loss
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Outgoing
from servicekit.loop.partition_loop import Batch, Commit, PartitionLoop
from support.ledger import Ledger, make_loop, produce, read_all, running, sources, turns
from support.topics import create_topic, recreate
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


class Relay(Ledger):
    """Passes what comes in on as it is."""

    async def apply(self, batch: Batch) -> Commit:
        passed = [(record, [Outgoing(self.out, record.key, record.value, [])]) for record in batch.records]
        return Commit(outgoing=passed)


async def has(pool: Pool, count: int) -> bool:
    return await turns(pool) == count


async def grow(kafka: str, topic: str) -> None:
    """Give the topic a second partition; returns once every client is told of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(2)})

        async def known() -> bool:
            (described,) = await admin.describe_topics([topic])
            return len(described["partitions"]) == 2

        await eventually(known)
    finally:
        await admin.close()


async def is_red(loop: PartitionLoop, about: str) -> None:
    await eventually(lambda: about in (loop.problem() or ""), seconds=30)


async def checkpoint(pool: Pool, topic: str) -> tuple[int, str | None]:
    row = await pool.fetchrow("SELECT next_offset, incarnation FROM checkpoint WHERE topic = $1 AND part = 0", topic)
    assert row is not None
    return row["next_offset"], row["incarnation"]


@pytest.mark.seconds(40)
async def test_what_follows_a_topic_that_was_made_anew_is_nobodys_repeat(
    kafka: str, cluster: Cluster, database: str, pool: Pool, make_topic: MakeTopic
) -> None:
    """The consumer behind the one whose topic it was has seen higher offsets of a topic of that name."""
    there, _, out = await make_topic("in"), await make_topic("mid"), await make_topic("out")
    first, second = make_loop(Relay("in", "mid", pool), cluster), make_loop(Ledger("mid", "out", pool), cluster)
    async with running(first), running(second):
        await produce(kafka, there, [("k", 1)] * 40)
        await eventually(lambda: has(pool, 40))
        await recreate(kafka, there)
        await produce(kafka, there, [("k", 1)] * 20)
        await is_red(first, "in/0")
        assert await accept_loss(cluster, "flow-engine", database, "in", 0) == (
            "in/0 goes on at 0 (was 40), the start of the topic that was made anew."
        )
        await eventually(lambda: has(pool, 60), seconds=20)
        await eventually(lambda: first.problem() is None)
    assert sorted(offset for _, offset in sources(await read_all(kafka, out))) == list(range(60))


async def test_a_log_that_lost_its_end_goes_on_there(
    kafka: str, cluster: Cluster, database: str, pool: Pool, make_topic: MakeTopic
) -> None:
    there, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, there, [("k", 1)] * 10)
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 10))
    await pool.execute("UPDATE checkpoint SET next_offset = 25, last_id = 'lost with the end'")
    loop = make_loop(Ledger("in", "out", pool), cluster)
    async with running(loop):
        await is_red(loop, "in/0: the checkpoint is at 25, but the log ends at 10: its end was lost")
        assert await accept_loss(cluster, "flow-engine", database, "in", 0) == (
            "in/0 goes on at 10 (was 25), the end of the log that was cut off: the records before it were applied."
        )
        await produce(kafka, there, [("k", 1)] * 5)
        await eventually(lambda: has(pool, 15), seconds=20)
        assert loop.problem() is None
    assert len(await read_all(kafka, out)) == 15


async def test_partitions_that_came_to_a_topic_later_wait_with_the_others(
    kafka: str, cluster: Cluster, database: str, pool: Pool, make_topic: MakeTopic
) -> None:
    there, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, there, [("k", 1)] * 3)
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 3))
    await grow(kafka, there)
    loop = make_loop(Ledger("in", "out", pool), cluster, instance="b")  # Under its name it would get what it had.
    async with running(loop):
        await produce(kafka, there, [("k", 1)] * 3, partition=1)
        await eventually(lambda: set(loop.lag()) == {0, 1})
        await is_red(loop, "in: it has 2 partitions and had 1 when this service first read it")
        await eventually(lambda: loop.assigned == set())
        assert await has(pool, 3)
        assert "goes on at 3 (was 3)" in await accept_loss(cluster, "flow-engine", database, "in", 0)
        await eventually(lambda: has(pool, 6), seconds=20)
        await eventually(lambda: loop.assigned == {0, 1})
    assert len(await read_all(kafka, out)) == 6


async def test_a_checkpoint_of_an_earlier_release_is_read_and_learns_its_topic(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic
) -> None:
    there, _ = await make_topic("in"), await make_topic("out")
    await produce(kafka, there, [("k", 1)] * 3)
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 3))
    await pool.execute("UPDATE checkpoint SET incarnation = NULL")
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await produce(kafka, there, [("k", 1)] * 3)
        await eventually(lambda: has(pool, 6))
    offset, incarnation = await checkpoint(pool, "in")
    assert offset == 6
    assert incarnation


async def test_a_topic_that_does_not_exist_is_named_and_read_once_it_does(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic
) -> None:
    there = await make_topic("in")
    await make_topic("out")
    await recreate(kafka, there, again=False)
    loop = make_loop(Ledger("in", "out", pool), cluster)
    async with running(loop):
        await is_red(loop, f"the topic {there} does not exist")
        assert "switchhook-ops topics create" in (loop.problem() or "")
        await create_topic(kafka, there)
        await produce(kafka, there, [("k", 1)] * 3)
        await eventually(lambda: has(pool, 3), seconds=20)
        assert loop.problem() is None


async def test_who_comes_back_under_its_name_after_a_topic_was_missing_is_given_its_partitions(
    kafka: str, cluster: Cluster, pool: Pool, make_topic: MakeTopic
) -> None:
    """Kafka gives it what it had, without dividing the group anew, and that was nothing; readiness was green over it."""
    there = await make_topic("in")
    await make_topic("out")
    await recreate(kafka, there, again=False)
    loop = make_loop(Ledger("in", "out", pool), cluster)
    async with running(loop):
        await is_red(loop, f"the topic {there} does not exist")
        await eventually(lambda: not loop._reader.unassigned_seconds)
    await create_topic(kafka, there)
    await produce(kafka, there, [("k", 1)] * 3)
    async with running(make_loop(Ledger("in", "out", pool), cluster)):
        await eventually(lambda: has(pool, 3), seconds=12)
