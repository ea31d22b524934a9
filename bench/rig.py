"""A throw-away stack with a project, a bot and a channel in it, and what the benches do with it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from devstack.stack import NO_SETTINGS, Stack
from operations.api import Api

PARTITIONS = 12
"""Of the topics that benches read and write."""

Services = Mapping[str, Mapping[str, str]]


@dataclass(slots=True)
class Rig:
    """A running stack; `api` acts for a fresh project, `bot` and `channel` (web chat) are in it."""

    stack: Stack
    api: Api
    project: str
    bot: str
    channel: str

    def pids(self, *, services: bool = True) -> dict[str, int]:
        """Name -> pid of Kafka, PostgreSQL and, if asked for, the services."""
        servers = {"kafka": self.stack.kafka.pid, "postgres": self.stack.postgres.pid}
        return servers | ({name: each.pid for name, each in self.stack.services.items()} if services else {})

    async def telegram(self, api_base_url: str) -> str:
        """A Telegram channel whose Bot API is at that address; its id."""
        body = {
            "bot": self.bot,
            "type": "telegram",
            "name": "telegram",
            "credentials": {"token": "1000001:bench"},
            "api_base_url": api_base_url,
            "set_webhook": False,
        }
        return str((await self.api.post("/v1/channels", body))["id"])

    async def trigger(self, document: dict[str, Any]) -> tuple[str, str]:
        """Publish a flow with a webhook trigger `run` and bind it to the channel: the trigger's id and its token."""
        flow = await self.api.publish_flow(self.bot, document)
        trigger = await self.api.post(
            "/v1/triggers",
            {"flow": flow["id"], "entry": "run", "new_token": {"name": "bench"}, "channel_id": self.channel},
        )
        return trigger["id"], trigger["body_example"]["token"]

    async def create_topic(self, name: str, partitions: int = PARTITIONS) -> str:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.bootstrap_servers)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, partitions, 1)])
        finally:
            await admin.close()
        return name


@contextlib.asynccontextmanager
async def rig(services: Services | None = None, env: Mapping[str, str] | None = None) -> AsyncIterator[Rig]:
    """Start it, put project, bot and channel in, and clear everything away at the end."""
    settings = {"SWITCHHOOK_TOPIC_PREFIX": "", **(env or {})}  # Benches name topics as contracts does.
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-", ignore_cleanup_errors=True) as folder:
        async with (
            Stack(Path(folder), services=services or NO_SETTINGS, env=settings, report=complain) as stack,
            _project_on(stack, "bench") as made,
        ):
            yield made


@contextlib.asynccontextmanager
async def neighbour(bench: Rig) -> AsyncIterator[Rig]:
    """Another project on the same stack, with a bot and a channel of its own."""
    async with _project_on(bench.stack, "neighbour") as made:
        yield made


@contextlib.asynccontextmanager
async def _project_on(stack: Stack, name: str) -> AsyncIterator[Rig]:
    async with Api(stack.base_url, stack.secrets.admin_token) as operator:
        project = (await operator.post("/v1/projects", {"name": name}))["id"]
    async with Api(stack.base_url, stack.secrets.admin_token, project) as api:
        bot = (await api.post("/v1/bots", {"name": name}))["id"]
        channel = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "site"})
        yield Rig(stack, api, project, bot, channel["id"])


def complain(line: str) -> None:
    """Print a crash of the stack: the figures of a bench with one are worthless."""
    print(line, file=sys.stderr, flush=True)


def options(**defaults: Any) -> argparse.Namespace:
    """`--seconds N` and whatever else the bench takes, with these defaults."""
    parser = argparse.ArgumentParser()
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default)
    return parser.parse_args()


@contextlib.asynccontextmanager
async def process(*command: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """`python -m command…`, with the first line it printed; killed at the end."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", *command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        yield child, (await child.stdout.readline()).decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


class Sink:
    """The webhook receiver, a process of its own."""

    def __init__(self, port: str) -> None:
        self.url = f"http://127.0.0.1:{port}"

    async def arrivals(self) -> dict[str, Any]:
        """What came since the last call; see bench.sink."""
        async with aiohttp.ClientSession() as session, session.get(self.url) as answer:
            return dict(json.loads(await answer.read()))

    async def wait_for(self, count: int, seconds: float = 120) -> dict[str, Any]:
        """All arrivals since the last call, once there are `count`."""
        whole: dict[str, Any] = {"count": 0, "first": 0.0, "last": 0.0, "by_id": {}}
        async with asyncio.timeout(seconds):
            while whole["count"] < count:
                part = await self.arrivals()
                if part["count"]:
                    whole["first"] = whole["first"] or part["first"]
                    whole["last"] = part["last"]
                    whole["count"] += part["count"]
                    whole["by_id"] = part["by_id"] | whole["by_id"]
                await asyncio.sleep(0.05)
        return whole


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    async with process("bench.sink") as (_, port):
        yield Sink(port)


@contextlib.contextmanager
def frozen(*pids: int) -> Iterator[None]:
    """The processes stand still inside, so that a backlog can be laid before them."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Watch:
    """Reads a topic from where it ends now; the broker's own clock times what comes."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._topic = topic
        self._consumer = AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)

    async def __aenter__(self) -> Watch:
        await self._consumer.start()
        partitions = [TopicPartition(self._topic, each) for each in range(PARTITIONS)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def until(self, count: int, seconds: float = 120) -> tuple[float, float]:
        """Wait for `count` records: broker time of the first and the last, seconds."""
        seen, first, last = 0, float("inf"), 0.0
        async with asyncio.timeout(seconds):
            while seen < count:
                for records in (await self._consumer.getmany(timeout_ms=500)).values():
                    seen += len(records)
                    first = min(first, records[0].timestamp / 1000)
                    last = max(last, records[-1].timestamp / 1000)
        return first, last


async def scratch_database(stack: Stack) -> str:
    """A database for the raw loops beside ours, in the same server; its DSN."""
    connection = await asyncpg.connect(stack.admin_dsn)
    try:
        await connection.execute("CREATE DATABASE raw")
    finally:
        await connection.close()
    head, _, _ = stack.admin_dsn.rpartition("/")
    return f"{head}/raw"
