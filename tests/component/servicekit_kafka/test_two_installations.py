"""Two installations on one Kafka, told apart by their topic prefixes; and one that is given another one's database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from contracts.registry import TOPIC
from servicekit.kafka.cluster import Cluster
from support.databases import Databases
from support.dispatcher import RunningDispatcher, dispatcher_on, endpoint
from support.receiver import Receiver, receiver
from support.registry_api import new_project, running_registry
from support.registry_topic import read_topic
from support.topics import create_topic, delete_topics
from support.waiting import eventually

COUNT = 20


@pytest.fixture
async def sinks() -> AsyncIterator[list[Receiver]]:
    async with receiver() as one, receiver() as other:
        yield [one, other]


@pytest.fixture
def dispatchers_database(databases: Databases) -> Iterator[str]:
    with databases.fresh("dispatcher") as dsn:
        yield dsn


@pytest.fixture
async def installations(
    kafka: str, databases: Databases, sinks: list[Receiver]
) -> AsyncIterator[list[RunningDispatcher]]:
    """Two dispatchers of the same names, groups and entities; only the prefix and the database are their own."""
    async with AsyncExitStack() as stack:
        made = []
        for sink in sinks:
            database = stack.enter_context(databases.fresh("dispatcher"))
            entity = endpoint("e1", f"{sink.url}/event", "tag.added")
            made.append(await stack.enter_async_context(dispatcher_on(kafka, database, entity)))
        for one in made:
            await one.start()
        yield made


async def test_neither_sees_what_the_other_one_writes(
    installations: list[RunningDispatcher], sinks: list[Receiver]
) -> None:
    for one, name in zip(installations, "ab", strict=True):
        for number in range(COUNT):
            await one.event("tag.added", id=f"{name}-{number}", key=f"conversation-{number}")
    for one, sink in zip(installations, sinks, strict=True):
        await eventually(lambda sink=sink: len(sink.requests_to("/event")) >= COUNT)
        await eventually(lambda one=one: is_done(one))
    for sink, name in zip(sinks, "ab", strict=True):
        delivered = [request.headers["webhook-id"] for request in sink.requests_to("/event")]
        assert len(delivered) == COUNT, name
    for one, name in zip(installations, "ab", strict=True):
        written = {(dict(record.headers)["ce_id"] or b"").decode() for record in await one.out("events")}
        assert {id for id in written if id[:2] in ("a-", "b-")} == {f"{name}-{number}" for number in range(COUNT)}


async def is_done(one: RunningDispatcher) -> bool:
    return await one.states() == {"succeeded": COUNT}


async def test_the_relays_do_not_fence_each_other(kafka: str, databases: Databases) -> None:
    clusters = [Cluster(kafka, f"test-{name}-{id(object())}.") for name in ("one", "other")]
    topics = [
        await create_topic(kafka, each.named(TOPIC.name), config={"cleanup.policy": "compact"}) for each in clusters
    ]
    async with AsyncExitStack() as stack:
        replicas = []
        for cluster in clusters:
            database = stack.enter_context(databases.fresh("registry"))
            replicas.append(await stack.enter_async_context(running_registry(cluster, database)))
        projects = [await new_project(each) for each in replicas]
        for _ in range(5):
            await asyncio.gather(*(project.bot() for project in projects))
        for topic, project in zip(topics, projects, strict=True):
            bots = [value for key, value in await read_topic(kafka, topic) if key.startswith("bot/")]
            assert len(bots) == 5
            assert all(project.id.encode() in (value or b"") for value in bots)
    await delete_topics(kafka, *topics)


async def test_a_dispatcher_on_another_installations_registry_does_no_work(
    kafka: str, dispatchers_database: str, sinks: list[Receiver]
) -> None:
    entity, database = endpoint("e1", f"{sinks[0].url}/event", "tag.added"), dispatchers_database
    async with dispatcher_on(kafka, database, entity) as one:
        await one.registry.snapshot(stack_id="installation-1")
        await one.start()
        await one.event("tag.added", id="first")
        await eventually(lambda: sinks[0].requests_to("/event"))
        await one.stop()
    async with dispatcher_on(kafka, database, entity) as other:
        await other.registry.snapshot(stack_id="installation-2")
        await other.event("tag.added", id="never")
        stranger = await other.start()
        said = await eventually(stranger.checks()["stack"])
        assert "belongs to the installation installation-1, the registry's topic to installation-2" in said
        assert stranger.checks()["partitions"]() is not None
        assert stranger.loops == []
        assert await other.states() == {"succeeded": 1}
        await other.stop()
    assert len(sinks[0].requests_to("/event")) == 1
