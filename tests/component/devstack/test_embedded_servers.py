"""The embedded servers keep their data over kill -9, in a folder whose name has a space."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from devstack.embedded_kafka import EmbeddedKafka
from devstack.embedded_postgres import EmbeddedPostgres
from devstack.errors import StackError
from support.topics import create_topic
from support.waiting import eventually

pytestmark = pytest.mark.seconds(60)  # Starts servers of its own.


@pytest.fixture
async def kafka_server(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    server = EmbeddedKafka(tmp_path / "a folder, with a space" / "kafka")
    yield server
    await server.stop()


@pytest.fixture
async def postgres_server(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "a folder, with a space" / "postgres")
    yield server
    await server.stop()


async def test_kafka_keeps_acknowledged_records_over_a_kill(kafka_server: EmbeddedKafka) -> None:
    await kafka_server.start()
    address = kafka_server.bootstrap_servers
    topic = await create_topic(address, "kept")
    async with AIOKafkaProducer(bootstrap_servers=address, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"before the kill")

    await kafka_server.kill()
    assert not kafka_server.running
    await kafka_server.start()

    assert kafka_server.bootstrap_servers == address
    async with AIOKafkaConsumer(topic, bootstrap_servers=address, auto_offset_reset="earliest") as consumer:
        assert (await consumer.getone()).value == b"before the kill"


async def test_postgres_keeps_committed_rows_over_a_kill(postgres_server: EmbeddedPostgres) -> None:
    await postgres_server.start()
    connection = await asyncpg.connect(postgres_server.dsn)
    await connection.execute("CREATE TABLE kept AS SELECT 1 AS n")
    children = psutil.Process(postgres_server.pid).children(recursive=True)

    await postgres_server.kill()
    connection.terminate()
    assert not any(child.is_running() for child in children)
    await postgres_server.start()

    again = await asyncpg.connect(postgres_server.dsn)
    assert await again.fetchval("SELECT n FROM kept") == 1
    await again.close()


async def test_a_server_that_an_earlier_run_left_behind_is_replaced(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    await postgres_server.start()
    leftover = psutil.Process(postgres_server.pid)
    successor = EmbeddedPostgres(tmp_path / "a folder, with a space" / "postgres")
    try:
        await successor.start()
        await eventually(lambda: not leftover.is_running())
    finally:
        await successor.stop()


async def test_a_frozen_server_is_killed_when_it_does_not_stop(postgres_server: EmbeddedPostgres) -> None:
    await postgres_server.start()
    process = psutil.Process(postgres_server.pid)
    postgres_server.send_signal(signal.SIGSTOP)
    await postgres_server.stop(grace_seconds=0.2)
    assert not process.is_running()


async def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path, postgres: str) -> None:
    taken = int(postgres.rpartition(":")[2].partition("/")[0])
    server = EmbeddedPostgres(tmp_path, port=taken)
    with pytest.raises(StackError, match=rf"Port {taken} is taken, and PostgreSQL needs it: stop"):
        await server.start()
