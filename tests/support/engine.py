"""A flow engine at work in the test's process, on topics and a database of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer

from contracts import actions, dlq, events, findings, inbound, replies
from contracts import registry as registry_topic
from contracts.cloudevents import TYPE_PREFIX
from flow_engine.batch.timers import Timers
from flow_engine.batch.waking import Waking
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.main import SERVICE, Engine
from flow_engine.programs.deferring import Deferring
from flow_engine.programs.stepping import Stepping
from flow_engine.programs.worker import StepWorker
from flow_engine.settings import Settings
from flow_engine.state.ids import conversation_id
from flow_engine.store.postgres import PostgresConversations
from flowtools.sandbox import Sandbox
from servicekit.credentials.links import LinkKeys
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.registry_view.view import RegistryView
from support.engine_database import PSEUDONYMS, engine_pool
from support.engine_world import BOT, ENTITIES, PATIENT_SECONDS, WEB, BuggyHandler, inbound_record, published
from support.registry_writer import RegistryWriter
from support.stack import SESSION_SECONDS
from support.tail import Tails
from support.topics import create_topics, delete_topics
from support.workers_in_memory import WorkersInMemory

TOPICS = (inbound.TOPIC, actions.TOPIC, events.TOPIC, findings.TOPIC, replies.TOPIC)
PARTITIONS = 3


@dataclass
class RunningEngine:
    """What a test drives and looks at."""

    cluster: Cluster
    dsn: str
    pool: asyncpg.Pool[asyncpg.Record]
    registry: RegistryWriter
    view: RegistryView
    catalogue: RegistryCatalogue
    stepping: Stepping
    producer: AIOKafkaProducer
    tails: Tails
    task: asyncio.Task[None] | None = None
    loop: PartitionLoop | None = None
    handler: BuggyHandler | None = None
    timers: asyncio.Task[None] | None = None
    waking: asyncio.Task[None] | None = None
    deferring: Deferring | None = None
    session_timeout: float = SESSION_SECONDS

    async def start(self, instance: str = "a") -> None:
        """Begin to apply events."""
        self.store = PostgresConversations(self.pool, PSEUDONYMS)
        self.deferring = Deferring(self.stepping)
        self.handler = BuggyHandler(self.store, self.catalogue, self.deferring)
        self.loop = PartitionLoop(
            self.handler,
            cluster=self.cluster,
            group=SERVICE,
            service=SERVICE,
            instance=instance,
            pool=self.pool,
            session_timeout=self.session_timeout,
            parallel_batches=2,
        )
        self.task = asyncio.create_task(self.loop.run())
        self.timers = asyncio.create_task(Timers(self.loop, self.store).run())
        self.waking = asyncio.create_task(Waking(self.loop, self.deferring).run())

    async def stop(self) -> None:
        """Leave in good order."""
        if self.loop is not None and self.task is not None and self.timers is not None and self.handler is not None:
            await self.loop.close()
            await self._clear_away()

    async def died(self) -> None:
        """Wait until the loop's task has ended by itself, and clear away what is left of it."""
        assert self.task is not None
        assert self.timers is not None
        assert self.handler is not None
        await asyncio.wait([self.task])
        await self._clear_away()

    async def _clear_away(self) -> None:
        assert self.task is not None
        helpers = [task for task in (self.timers, self.waking) if task is not None]
        for task in helpers:
            task.cancel()
        await asyncio.gather(self.task, *helpers, return_exceptions=True)
        if self.deferring is not None:
            await self.deferring.close()
        await self.store.close()
        self.loop = None

    @contextlib.contextmanager
    def process(self, failpoints: str) -> Iterator[subprocess.Popen[bytes]]:
        """A whole engine in a process of its own, which fails so; killed at the end of the block."""
        command = [
            sys.executable,
            "-m",
            "support.process",
            "support.engine",
            self.cluster.servers,
            self.cluster.topic_prefix,
            self.dsn,
        ]
        path = os.pathsep.join(["tests", *sys.path])
        failing = {"SWITCHHOOK_FAILPOINTS": failpoints, "SWITCHHOOK_CHAOS": "1"}
        child = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path, **failing})
        try:
            yield child
        finally:
            child.kill()
            child.wait()

    async def killed(self, point: str) -> None:
        """Have an engine in a process of its own die by SIGKILL when it first comes to this failpoint."""
        with self.process(f"kill=1@{point}") as child:
            assert await asyncio.to_thread(child.wait, 30) == -signal.SIGKILL

    async def send(
        self,
        kind: str,
        peer: str = "p1",
        *,
        channel: str = WEB,
        id: str | None = None,
        key: str | None = None,
        **fields: Any,
    ) -> str:
        """Write an inbound record; its event id."""
        event_id = id or str(uuid4())
        usual, value, about = inbound_record(kind, peer, channel=channel, id=event_id, **fields)
        await self.raw(value, key or usual, about)
        return event_id

    async def raw(self, value: bytes, key: str, headers: list[tuple[str, bytes]]) -> None:
        """Write anything to inbound."""
        await self.producer.send_and_wait(self.cluster.named(inbound.TOPIC.name), value, key.encode(), headers=headers)

    async def say(self, text: str, peer: str = "p1", **more: Any) -> str:
        """A person's message."""
        return await self.send("message", peer, message_id=str(uuid4()), text=text, **more)

    async def out(self, name: str) -> list[Record]:
        """All that was written to a topic, partition by partition."""
        topic = dlq.topic_for(SERVICE).name if name == "dlq" else f"switchhook.{name}.v1"
        return await self.tails.records(self.cluster.named(topic))

    async def bodies(self, name: str) -> list[dict[str, Any]]:
        """The same, as JSON."""
        return [orjson.loads(record.value or b"null") for record in await self.out(name)]

    async def events(self, type: str) -> list[dict[str, Any]]:
        """The data of all events of a type."""
        wanted = (TYPE_PREFIX + type).encode()
        return [
            orjson.loads(record.value or b"{}")["data"]
            for record in await self.out("events")
            if dict(record.headers)["ce_type"] == wanted
        ]

    async def said(self, peer: str = "p1", channel: str = WEB) -> list[str]:
        """The bot's messages of a conversation, out of the chat log."""
        rows = await self.pool.fetch(
            "SELECT content FROM message WHERE conversation = $1 AND sender IN ('bot', 'agent') ORDER BY seq, place",
            conversation_id(f"{BOT}/{channel}/{peer}"),
        )
        return [orjson.loads(row[0])["text"] for row in rows]


Crash = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def engine_on(kafka: str, dsn: str, *documents: dict[str, Any]) -> AsyncIterator[RunningEngine]:
    """An engine whose bot has these published flows; started by the test."""
    cluster = Cluster(kafka, f"test-{uuid4().hex[:10]}.")
    topics = {cluster.named(topic.name): PARTITIONS for topic in TOPICS}
    topics |= {cluster.named(topic.name): 1 for topic in (registry_topic.TOPIC, dlq.topic_for(SERVICE))}
    await create_topics(kafka, topics)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, max_request_size=4 << 20)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(engine_pool(dsn))
        registry = await stack.enter_async_context(RegistryWriter(cluster))
        await registry.put(*ENTITIES)
        await registry.put(*published(*documents))
        await registry.snapshot()
        view = RegistryView(cluster)
        links = LinkMaker(LinkKeys("k" * 32), "http://test")
        catalogue = RegistryCatalogue(view, links)
        await view.start()
        stack.push_async_callback(view.stop)
        await view.wait_ready()
        sandbox = await stack.enter_async_context(Sandbox(1, seconds=PATIENT_SECONDS))
        stepping = Stepping(sandbox, WorkersInMemory(lambda: StepWorker(links)))
        await producer.start()
        stack.push_async_callback(producer.stop)
        tails = await stack.enter_async_context(Tails(kafka))
        engine = RunningEngine(cluster, dsn, pool, registry, view, catalogue, stepping, producer, tails)
        try:
            yield engine
        finally:
            await engine.stop()
    await delete_topics(kafka, *topics)


async def main(kafka: str, prefix: str, dsn: str) -> None:
    settings: dict[str, Any] = {
        "kafka": kafka, "topic_prefix": prefix, "database": dsn, "admin_token": "operator-token-of-the-tests-0123456789",
        "instance": "killed", "session_timeout_seconds": SESSION_SECONDS, "link_key": "k" * 32,
    }  # fmt: skip
    await Engine(Settings(**settings)).work()
