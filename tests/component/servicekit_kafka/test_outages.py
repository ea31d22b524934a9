"""Kafka or Postgres is gone, or stands still, for a while and comes back: everything goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from contracts import registry, replies
from devstack.embedded_kafka import EmbeddedKafka
from devstack.embedded_postgres import EmbeddedPostgres
from servicekit.kafka.asker import Asker
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher, NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.registry_view.view import RegistryView
from support.ledger import Ledger, ledger_pool, make_loop, produce, read_all, running, sources, turns, without_repeats
from support.registry_records import snapshot, token
from support.topics import create_topic
from support.waiting import eventually

REGISTRY = registry.TOPIC.name
OUTAGES = [
    pytest.param("killed", 4.0, marks=pytest.mark.seconds(60)),  # A server of its own is started twice.
    pytest.param("killed", 60.0, marks=pytest.mark.slow),
    pytest.param("stopped", 60.0, marks=pytest.mark.slow),
]


@pytest.fixture
async def own_kafka(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    server = EmbeddedKafka(tmp_path / "kafka")
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def own_postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", sync=False)
    await server.start()
    yield server
    await server.stop()


@contextlib.asynccontextmanager
async def stopped(pid: int) -> AsyncIterator[None]:
    """The process and its children stand still."""
    processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        # The signal takes effect when the process next has a core; until then it would still answer.
        await eventually(lambda: all(process.status() == psutil.STATUS_STOPPED for process in processes))
        yield
    finally:
        for process in processes:
            process.resume()


@contextlib.asynccontextmanager
async def killed(server: EmbeddedKafka | EmbeddedPostgres) -> AsyncIterator[None]:
    """The server is killed, and started again afterwards."""
    await server.kill()
    yield
    await server.start()


@pytest.mark.parametrize(("how", "seconds"), OUTAGES)
async def test_kafka_is_gone(own_kafka: EmbeddedKafka, database: str, how: str, seconds: float) -> None:
    kafka = own_kafka.bootstrap_servers
    await create_topic(kafka, "in", partitions=3)
    for topic in ("out", REGISTRY, replies.TOPIC.name):
        await create_topic(kafka, topic)
    cluster = Cluster(kafka)
    publisher = KafkaPublisher(cluster, client_id="test", timeout=2)
    view, asker = RegistryView(cluster), Asker(cluster, "one", publisher=publisher)
    for part in (publisher, view, asker):
        await part.start()
    await eventually(lambda: accepts(publisher), seconds=30)
    await publisher.publish_many([token(REGISTRY, "a"), snapshot(REGISTRY, token=1)])
    async with ledger_pool(database) as pool:
        async with running(make_loop(Ledger("in", "out", pool), kafka)) as task:
            await produce(kafka, "in", [(f"k{n}", 1) for n in range(300)])

            async def has(count: int) -> bool:
                return await turns(pool) == count

            await eventually(lambda: has(300))
            await eventually(lambda: view.ready and asker.ready)
            async with killed(own_kafka) if how == "killed" else stopped(own_kafka.pid):
                with pytest.raises(NotAcknowledged):
                    await publisher.publish(Outgoing("out", b"x", b"lost?", []))
                assert not await view.current()
                await asyncio.sleep(seconds)
                assert not task.done()
            await produce(kafka, "in", [(f"k{n}", 1) for n in range(300)])
            await eventually(lambda: has(600), seconds=60)
            await eventually(lambda: accepts(publisher), seconds=30)
            await publisher.publish(token(REGISTRY, "b"))
            await eventually(lambda: view.get("token", "b") is not None, seconds=30)
            assert await view.current()
            await eventually(lambda: heard(asker, publisher), seconds=30)
        records = [record for record in await read_all(kafka, "out") if dict(record.headers).get("src-topic")]
        assert len(without_repeats(records)) == len(set(sources(records))) == 600
    for part in (asker, view, publisher):
        await part.stop()


async def accepts(publisher: KafkaPublisher) -> bool:
    try:
        await publisher.publish(Outgoing("out", b"x", b"after", []))
    except NotAcknowledged:
        return False
    return True


async def heard(asker: Asker, publisher: KafkaPublisher) -> bool:
    from contracts.replies import RunReply

    to, future = asker.ask()
    body = RunReply(instance="one", request_id=to.request_id, event_id="e", status="completed").encode()
    try:
        await publisher.publish(Outgoing(replies.TOPIC.name, b"k", body, [], to.partition))
        async with asyncio.timeout(2):
            await future
    except (NotAcknowledged, TimeoutError):
        return False
    return True


@pytest.mark.parametrize(("how", "seconds"), OUTAGES)
async def test_postgres_is_gone(
    kafka: str, own_postgres: EmbeddedPostgres, topic_prefix: str, how: str, seconds: float
) -> None:
    topic, out = topic_prefix + "in", topic_prefix + "out"
    await create_topic(kafka, topic, partitions=3)
    await create_topic(kafka, out)
    async with ledger_pool(own_postgres.dsn) as pool, running(make_loop(Ledger(topic, out, pool), kafka)) as task:

        async def has(count: int) -> bool:
            return await turns(pool) == count

        await produce(kafka, topic, [(f"k{n}", 1) for n in range(300)])
        await eventually(lambda: has(300))
        async with killed(own_postgres) if how == "killed" else stopped(own_postgres.pid):
            await produce(kafka, topic, [(f"k{n}", 1) for n in range(300)])
            await asyncio.sleep(seconds)
            assert not task.done()
        await produce(kafka, topic, [(f"k{n}", 1) for n in range(300)])
        await eventually(lambda: has(900), seconds=60)
    records = await read_all(kafka, out)
    assert len(without_repeats(records)) == len(set(sources(records))) == 900
