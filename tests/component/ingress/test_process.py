"""`python -m ingress` as a process: what it says of itself, and what it does while Kafka is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from contracts import commands, events
from devstack.embedded_kafka import EmbeddedKafka
from devstack.ports import free_port
from operations.topics import create_topics
from servicekit.kafka.cluster import Cluster
from support.ingress_fakes import BOT, PROJECT, registry
from support.kafka_client import consume_until, produce_command
from support.registry_writer import RegistryWriter
from support.waiting import eventually

ACCEPTED = "dev.switchhook.command.accepted"
BODY = {"peer_id": 5, "variables": {"order_id": "7"}}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedKafka]:
    """A Kafka of the test's own, with every topic: it will be killed."""
    kafka = EmbeddedKafka(tmp_path / "kafka")
    await kafka.start()
    await create_topics(Cluster(kafka.bootstrap_servers))
    yield kafka
    await kafka.stop()


@pytest.fixture
def process(broker: EmbeddedKafka) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    environment = {
        "SWITCHHOOK_KAFKA": broker.bootstrap_servers,
        "SWITCHHOOK_ADMIN_TOKEN": "a" * 32,
        "SWITCHHOOK_LINK_KEY": "l" * 40,
        "SWITCHHOOK_PORT": str(port),
    }
    running = subprocess.Popen([sys.executable, "-m", "ingress"], env={**os.environ, **environment})
    yield running, f"http://127.0.0.1:{port}"
    running.kill()
    running.wait()


@pytest.mark.seconds(60)  # It starts a Kafka of its own, kills it and starts it again.
async def test_it_is_ready_once_the_registry_is_read_and_stays_so_while_kafka_is_gone(broker, process):
    running, base = process
    view, token = registry()
    headers = {"authorization": f"Bearer {token}", "prefer": "respond-async"}
    async with aiohttp.ClientSession() as http:

        async def status(path: str) -> int:
            try:
                async with http.get(base + path) as answer:
                    return answer.status
            except aiohttp.ClientConnectionError:
                return 0

        async def post() -> tuple[int, str | None]:
            async with http.post(f"{base}/v1/run/trigger-1", json=BODY, headers=headers) as answer:
                return answer.status, answer.headers.get("retry-after")

        await eventually(lambda: _is(status("/health/live"), 200), seconds=30)
        assert await status("/health/ready") == 503
        assert (await post())[0] == 503

        async with RegistryWriter(Cluster(broker.bootstrap_servers)) as writer:
            await writer.put(*view.entities.values())
            await writer.snapshot()
        await eventually(lambda: _is(status("/health/ready"), 200))
        assert (await post())[0] == 202

        await broker.kill()
        assert await post() == (503, "1")
        assert await status("/health/ready") == 200

        await broker.start()
        await eventually(lambda: _is(post(), (202, None)), seconds=40)

    command = {"kind": "signal", "bot": BOT, "person": {"peer_id": "5"}, "name": "paid"}
    kafka = {"bootstrap.servers": broker.bootstrap_servers}
    await produce_command(kafka, commands.TOPIC.name, orjson.dumps(command), token, "c1")
    seen = await consume_until(kafka, events.TOPIC.name, ACCEPTED, PROJECT, seconds=60)
    assert ACCEPTED in seen

    running.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(running.wait, 20) == 0


async def _is(what, wanted):
    return await what == wanted


@pytest.mark.parametrize("missing", ["SWITCHHOOK_ADMIN_TOKEN", "SWITCHHOOK_LINK_KEY"])
def test_without_its_secrets_it_does_not_start(missing):
    environment = {"SWITCHHOOK_ADMIN_TOKEN": "a" * 32, "SWITCHHOOK_LINK_KEY": "l" * 40, "PATH": os.environ["PATH"]}
    del environment[missing]
    done = subprocess.run(
        [sys.executable, "-m", "ingress"], env=environment, capture_output=True, timeout=30, check=False
    )
    assert done.returncode != 0
    assert missing.lower().removeprefix("switchhook_").encode() in done.stderr.lower()
