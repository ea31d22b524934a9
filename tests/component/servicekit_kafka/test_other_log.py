"""A log that does not belong to the checkpoint stops its partition, in one sentence; nothing is skipped by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.new_partitions import NewPartitions
from aiokafka.admin.records_to_delete import RecordsToDelete

from servicekit.loop.partition_loop import PartitionLoop
from support.ledger import Ledger, make_loop, produce, read_all, running, sources, turns
from support.topics import recreate
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def has(pool: Pool, count: int) -> bool:
    return await turns(pool) == count


async def apply_all(loop: PartitionLoop, pool: Pool, count: int) -> None:
    async with running(loop):
        await eventually(lambda: has(pool, count))


async def stopped_with(loop: PartitionLoop) -> str:
    """The sentence with which the loop stands still."""
    async with running(loop):
        await eventually(lambda: loop.problem() is not None, seconds=20)
        assert loop.assigned == set()
        return loop.problem() or ""


async def test_records_that_retention_deleted_before_they_were_applied(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 10)
    await apply_all(make_loop(Ledger(topic, out, pool), kafka), pool, 10)
    await produce(kafka, topic, [("k", 1)] * 10)
    await delete_before(kafka, topic, 15)
    problem = await stopped_with(make_loop(Ledger(topic, out, pool), kafka))
    assert problem.endswith("the log begins at 15, 5 records were deleted before being applied")
    assert await turns(pool) == 10


async def test_an_idle_partition_whose_last_record_expired_goes_on(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 10)
    await apply_all(make_loop(Ledger(topic, out, pool), kafka), pool, 10)
    await delete_before(kafka, topic, 10)
    loop = make_loop(Ledger(topic, out, pool), kafka)
    async with running(loop):
        await loop.settled()
        await produce(kafka, topic, [("k", 1)])
        await eventually(lambda: has(pool, 11))


async def test_a_recreated_topic_that_is_shorter(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 10)
    await apply_all(make_loop(Ledger(topic, out, pool), kafka), pool, 10)
    await recreate(kafka, topic)
    await produce(kafka, topic, [("k", 1)] * 3)
    problem = await stopped_with(make_loop(Ledger(topic, out, pool), kafka))
    assert problem.endswith("the topic was made anew since the checkpoint 10; its log is now 0 to 3")


async def test_a_recreated_topic_that_is_longer(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 10)
    await apply_all(make_loop(Ledger(topic, out, pool), kafka), pool, 10)
    await recreate(kafka, topic)
    await produce(kafka, topic, [("other", 1)] * 30)
    problem = await stopped_with(make_loop(Ledger(topic, out, pool), kafka))
    assert "offset 9 does not hold the record that was applied from there" in problem
    assert await turns(pool) == 10


async def test_a_topic_that_was_given_more_partitions(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    await produce(kafka, topic, [("k", 1)] * 10)
    await apply_all(make_loop(Ledger(topic, out, pool), kafka), pool, 10)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(2)})
    await admin.close()
    problem = await stopped_with(make_loop(Ledger(topic, out, pool), kafka))
    assert problem == f"{topic}: it has 2 partitions and had 1 when this service first read it"


async def test_the_log_is_cut_while_it_is_read(kafka: str, pool: Pool, make_topic: MakeTopic) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    ledger = Ledger(topic, out, pool)
    loop = make_loop(ledger, kafka, max_records=1)
    async with running(loop):
        await produce(kafka, topic, [("k", 1)] * 3)
        await eventually(lambda: has(pool, 3))
        loop._reader.pause(0)
        await produce(kafka, topic, [("k", 1)] * 10)
        await delete_before(kafka, topic, 8)
        loop._reader.resume(0)
        await eventually(lambda: loop.problem() is not None, seconds=20)
        assert (loop.problem() or "").endswith("the log begins at 8, 5 records were deleted before being applied")
    assert await turns(pool) == 3


async def test_markers_of_transactions_leave_holes_that_are_passed(
    kafka: str, pool: Pool, make_topic: MakeTopic
) -> None:
    topic, out = await make_topic("in"), await make_topic("out")
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    await producer.start()
    loop = make_loop(Ledger(topic, out, pool), kafka)
    for _ in range(3):
        async with producer.transaction():
            await producer.send_and_wait(topic, b"1", b"k")
            await producer.send_and_wait(topic, b"1", b"k")
    async with running(loop):
        await eventually(lambda: has(pool, 6))
        async with producer.transaction():
            await producer.send_and_wait(topic, b"1", b"k")
        await eventually(lambda: has(pool, 7))
    await producer.stop()
    async with running(make_loop(Ledger(topic, out, pool), kafka)):
        await produce(kafka, topic, [("k", 1)])
        await eventually(lambda: has(pool, 8))
    assert [offset for _, offset in sources(await read_all(kafka, out))] == [0, 1, 3, 4, 6, 7, 9, 11]


async def delete_before(kafka: str, topic: str, offset: int) -> None:
    """What retention does, now."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(offset)})
    finally:
        await admin.close()
