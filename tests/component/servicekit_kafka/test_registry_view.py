"""The registry view on a real topic: when it is ready, what it finds, and what it does with a recreated topic."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiokafka import AIOKafkaProducer

from contracts import registry
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.registry_view.stamps import Stamp
from servicekit.registry_view.view import RegistryView
from support.registry_records import PROJECT, snapshot, token, tombstone
from support.topics import create_topic, delete_topics, recreate
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]


@contextlib.asynccontextmanager
async def viewing(cluster: Cluster) -> AsyncIterator[RegistryView]:
    view = RegistryView(cluster)
    await view.start()
    try:
        yield view
    finally:
        await view.stop()


async def test_it_is_ready_once_a_snapshot_and_all_that_it_counts_is_read(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    async with viewing(cluster) as view:
        await publisher.publish(token(topic, "a"))
        await eventually(lambda: view.knows([Stamp(0)], 10))
        assert not view.ready
        await publisher.publish(snapshot(topic, token=2))
        assert await view.knows([Stamp(1)], 10)
        assert not view.ready, "the topic lost an entity that the snapshot counts"
        await publisher.publish(token(topic, "b"))
        await eventually(lambda: view.ready)
        assert view.problem() is None


async def test_a_delete_marker_counts_and_what_is_unknown_is_not_deleted(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    await publisher.publish_many(
        [token(topic, "a"), token(topic, "b"), token(topic, "b", 2, deleted=True), tombstone(topic, "token", "b")]
    )
    await publisher.publish(snapshot(topic, token=2))
    async with viewing(cluster) as view:
        await eventually(lambda: view.ready)
        assert view.get("token", "b") is None
        assert view.deleted("token", "b")
        assert not view.deleted("token", "never-seen")
        assert view.find("token", "sha256", "xa").id == "a"
        assert view.find("token", "sha256", "xb") is None
        assert [one.id for one in view.all("token", PROJECT)] == ["a"]


async def test_an_older_version_never_replaces_a_newer_one(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    await publisher.publish_many(
        [token(topic, "a", 4), token(topic, "a", 3), token(topic, "b", 9), token(topic, "b", 10, deleted=True)]
    )
    await publisher.publish_many(
        [token(topic, "b", 9), token(topic, "c", 5), token(topic, "c", 1, generation=2), snapshot(topic)]
    )
    async with viewing(cluster) as view:
        await eventually(lambda: view.ready)
        assert view.get("token", "a").name == "v4"
        assert view.get("token", "b") is None
        assert view.get("token", "c").name == "v1", "a restored registry counts on in a new generation"


async def test_current_waits_for_what_was_acknowledged_before_the_call(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    await publisher.publish(snapshot(topic))
    changes: list[tuple[str, str, Any]] = []
    async with viewing(cluster) as view:
        await eventually(lambda: view.ready)
        view.on_change(lambda kind, id, model: changes.append((kind, id, model and model.name)))
        for version in range(1, 21):
            await publisher.publish(token(topic, "a", version))
            assert all(await asyncio.gather(*(view.current() for _ in range(5))))
            assert view.get("token", "a").name == f"v{version}"
        await publisher.publish(token(topic, "a", 21, deleted=True))
        assert await view.current()
    assert changes[-2:] == [("token", "a", "v20"), ("token", "a", None)]


async def test_it_passes_transaction_markers_and_waits_for_the_commit(
    kafka: str, cluster: Cluster, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    await producer.start()
    async with viewing(cluster) as view:
        for version in (1, 2):
            async with producer.transaction():
                for record in (token(topic, "a", version), snapshot(topic, token=1)):
                    await producer.send_and_wait(topic, record.value, record.key)
            await eventually(lambda: view.ready)
            assert await view.current()
            assert view.get("token", "a").name == f"v{version}"
    await producer.stop()


async def test_a_recreated_topic_is_read_anew_and_nothing_counts_as_deleted(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    await publisher.publish_many([token(topic, "a"), token(topic, "b"), token(topic, "c"), snapshot(topic, token=3)])
    async with viewing(cluster) as view:
        await eventually(lambda: view.ready)
        await delete_topics(cluster.servers, topic)
        await eventually(lambda: made_again(cluster.servers, topic))
        await eventually(lambda: view.problem() is not None, seconds=30)
        assert view.get("token", "a") is not None, "what was known holds until the new log is whole"
        assert not view.deleted("token", "a")
        await publisher.publish_many([token(topic, "a", 2), token(topic, "b"), snapshot(topic, token=2)])
        await eventually(lambda: view.problem() is None, seconds=30)
        assert view.get("token", "a").name == "v2"
        assert view.get("token", "c") is None
        assert not view.deleted("token", "c")


async def made_again(kafka: str, topic: str) -> bool:
    from aiokafka.errors import TopicAlreadyExistsError

    try:
        await create_topic(kafka, topic)
    except TopicAlreadyExistsError:
        return False
    return True


async def test_what_was_written_by_a_topic_that_is_gone_is_not_waited_for(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    topic = await make_topic(registry.TOPIC.name)
    await publisher.publish_many([token(topic, "a", version) for version in range(1, 9)])
    await publisher.publish(snapshot(topic, token=1))
    async with viewing(cluster) as view:
        await eventually(lambda: view.ready)
        before = view.stamp
        assert before.offset == 8
        assert before.incarnation
        await recreate(cluster.servers, topic)
        await publisher.publish_many([token(topic, "a", 9), snapshot(topic, token=1)])
        await eventually(lambda: view.stamp.incarnation != before.incarnation and view.problem() is None, seconds=30)
        assert view.stamp.offset == 1
        assert await view.knows([before, Stamp(8), Stamp(900)], 5), "nothing will ever be there"
        assert await view.knows([view.stamp], 0)
        await publisher.publish(token(topic, "a", 10))
        assert await view.knows([Stamp(2, view.stamp.incarnation), before], 5)
        assert view.get("token", "a").name == "v10"
