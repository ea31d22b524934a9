"""`topics grow`: more partitions for the keyed topics, once nothing is on its way and not before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from contracts.partitioner import partition_for
from operations.checkpoints import misfits
from operations.errors import CommandError
from operations.growing import grow
from operations.installation import Installation
from operations.postgres import connected
from operations.topic_plan import ALIKE
from operations.topics import asked, by_name, found
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from support.databases import Databases
from support.waiting import eventually

INBOUND, ACTIONS, EVENTS = (topic.name for topic in ALIKE)
KEYS = [f"bot/channel/{number}" for number in range(12)]
NEW_CHECKPOINT = """
INSERT INTO checkpoint (topic, part, next_offset, epoch, owner, partitions) VALUES ($1, $2, $3, 7, gen_random_uuid(), 2)
"""


@pytest.fixture(scope="module")
def dsns(databases: Databases) -> Iterator[dict[str, str]]:
    with (
        databases.fresh("registry") as registry,
        databases.fresh("flow_engine") as engine,
        databases.fresh("dispatcher") as dispatcher,
    ):
        yield {"registry": registry, "flow-engine": engine, "dispatcher": dispatcher}


async def run(dsn: str, service: str, statement: str, *values: object) -> list[asyncpg.Record]:
    async with connected(dsn, service) as connection:
        return await connection.fetch(statement, *values)


@pytest.fixture
async def drained(
    cluster: Cluster, dsns: dict[str, str], make_topic: Callable[..., Awaitable[str]]
) -> AsyncIterator[Installation]:
    """Two partitions each, of which inbound has ten records that were applied; twelve timers."""
    for topic in ALIKE:
        await make_topic(topic.name, partitions=2)
    async with AIOKafkaProducer(bootstrap_servers=cluster.servers) as producer:
        for _ in range(10):
            await producer.send_and_wait(cluster.named(INBOUND), b"{}", partition=1)
    for service, topic, part, offset in (
        ("flow-engine", INBOUND, 0, 0), ("flow-engine", INBOUND, 1, 10), ("dispatcher", ACTIONS, 0, 0),
        ("dispatcher", ACTIONS, 1, 0), ("dispatcher", EVENTS, 0, 0),
    ):  # fmt: skip
        await run(dsns[service], service, NEW_CHECKPOINT, topic, part, offset)
    for key in KEYS:
        await run(
            dsns["flow-engine"], "flow-engine",
            "INSERT INTO timer (id, part, key, project_id, wait, due) VALUES (gen_random_uuid(), $1, $2, 'p', 'w', now())",
            partition_for(key.encode(), 2), key,
        )  # fmt: skip
    yield Installation("switchhook-ops", "say where", cluster, dsns)
    await run(dsns["flow-engine"], "flow-engine", "DELETE FROM timer")
    await run(dsns["dispatcher"], "dispatcher", "DELETE FROM result_outbox")
    for service, dsn in dsns.items():
        await run(dsn, service, "DELETE FROM checkpoint")


async def counts(cluster: Cluster) -> set[int]:
    async with asked(cluster, "looked at") as admin:
        return {each.partitions for each in (await found(admin, by_name(cluster, ALIKE))).values()}


@pytest.fixture
async def member(cluster: Cluster, drained: Installation) -> AsyncIterator[None]:
    """An engine whose port nobody named."""
    consumer = make_consumer(cluster, client_id="test", group="flow-engine")
    await consumer.start()
    consumer.subscribe([cluster.named(INBOUND)])
    await eventually(lambda: bool(consumer.assignment()))
    yield
    await consumer.stop()


async def test_what_is_on_its_way_is_named_and_nothing_is_changed(
    cluster: Cluster, drained: Installation, dsns: dict[str, str], member: None
) -> None:
    await run(dsns["flow-engine"], "flow-engine", "UPDATE checkpoint SET next_offset = 8 WHERE part = 1")
    await run(
        dsns["dispatcher"], "dispatcher", "INSERT INTO result_outbox (name, payload) VALUES (gen_random_uuid(), '')"
    )
    with pytest.raises(CommandError) as refused:
        [line async for line in grow(drained, 4)]
    for said in (
        "replicas are members of the group flow-engine: stop them",
        f"flow-engine stands at 8 of {INBOUND}/1, which ends at 10",
        "dispatcher: 1 results on their way to flow-engine",
    ):
        assert said in str(refused.value)
    assert await counts(cluster) == {2}


async def test_all_keyed_topics_grow_and_what_names_a_partition_follows(
    cluster: Cluster, drained: Installation, dsns: dict[str, str]
) -> None:
    done = [line async for line in grow(drained, 5)]
    assert f"{cluster.named(INBOUND)} has 5 partitions (had 2)" in done
    assert await counts(cluster) == {5}
    timers = await run(dsns["flow-engine"], "flow-engine", "SELECT key, part FROM timer")
    assert {row["key"]: row["part"] for row in timers} == {key: partition_for(key.encode(), 5) for key in KEYS}
    assert await misfits(cluster, {service: dsns[service] for service in ("flow-engine", "dispatcher")}) == []

    assert any("0 checkpoints know of 5 partitions" in line for line in [line async for line in grow(drained, 5)])
    with pytest.raises(CommandError, match="none can be taken away"):
        [line async for line in grow(drained, 4)]
