"""A dispatcher at work on topics and a database of the test's own: in the test's process, or in one that may be killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer

from contracts import actions, dlq, events, findings, inbound, replies
from contracts import registry as registry_topic
from contracts.cloudevents import headers as ce_headers
from contracts.cloudevents import now_text, source_headers
from contracts.registry import ApiCall, Bot, Channel, Endpoint, Project, Secret
from dispatcher.main import SERVICE, Dispatcher
from dispatcher.settings import Settings
from servicekit.credentials.sealing import KeyRing
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record
from support.registry_writer import RegistryWriter
from support.stack import SESSION_SECONDS
from support.tail import Tails
from support.topics import create_topics, delete_topics

PROJECT, BOT, CHANNEL = "project-1", "bot-1", "tg-1"
KEK = "k1:" + "A" * 43 + "="
SIGNING_SECRET = "whsec_" + "c2lnbmluZyBzZWNyZXQgb2YgdGhlIHByb2plY3Q="
BOT_TOKEN = "104117782:AAF0secretsecretsecretsecretsecret0"
OPERATOR = "operator-token-of-the-tests-0123456789"
TOPICS = (inbound.TOPIC, actions.TOPIC, events.TOPIC, findings.TOPIC, replies.TOPIC)
PARTITIONS = 3


def settings_for(cluster: Cluster, dsn: str, **more: Any) -> Settings:
    """Loopback may be reached; everything else as shipped."""
    defaults: dict[str, Any] = {
        "kafka": cluster.servers,
        "topic_prefix": cluster.topic_prefix,
        "database": dsn,
        "admin_token": OPERATOR,
        "kek": KEK,
        "allowed_networks": "127.0.0.0/8",
        "instance": "a",
        "session_timeout_seconds": SESSION_SECONDS,
        "lease_seconds": 20,
    }
    return Settings(**(defaults | more))


def sealed(value: str, entity: str, field: str) -> Any:
    return KeyRing(KEK).seal(value.encode(), project=PROJECT, entity=entity, field=field)


def endpoint(id: str, url: str, *events: str, secrets: Sequence[str] = (SIGNING_SECRET,), **more: Any) -> Endpoint:
    return Endpoint(
        id=id, project_id=PROJECT, name=id, url=url, events=events or ("*",),
        secrets=tuple(sealed(each, id, "secrets") for each in secrets), **more,
    )  # fmt: skip


def channel(url: str, **more: Any) -> Channel:
    credentials = orjson.dumps({"token": BOT_TOKEN, "secret_token": "hook-secret"}).decode()
    return Channel(
        id=CHANNEL, project_id=PROJECT, bot_id=BOT, type="telegram", name="Telegram", api_base_url=url,
        credentials=sealed(credentials, CHANNEL, "credentials"), external_id="104117782", **more,
    )  # fmt: skip


def api_call(id: str, url: str, **more: Any) -> ApiCall:
    return ApiCall(**{"id": id, "project_id": PROJECT, "name": id, "method": "POST", "url": url, **more})


def secret(name: str, value: str) -> Secret:
    return Secret(id=f"s-{name}", project_id=PROJECT, name=name, value=sealed(value, f"s-{name}", "value"))


@dataclass
class RunningDispatcher:
    """What a test drives and looks at."""

    cluster: Cluster
    dsn: str
    pool: asyncpg.Pool[asyncpg.Record]
    registry: RegistryWriter
    producer: AIOKafkaProducer
    tails: Tails
    offsets: dict[str, int] = field(default_factory=dict)
    workers: list[tuple[Dispatcher, asyncio.Task[None]]] = field(default_factory=list)

    async def start(self, instance: str = "a", **more: Any) -> Dispatcher:
        """One more replica, in this process."""
        made = Dispatcher(settings_for(self.cluster, self.dsn, instance=instance, **more))
        self.workers.append((made, asyncio.create_task(made.work())))
        return made

    async def stop(self) -> None:
        """All replicas leave in good order."""
        for made, task in self.workers:
            await made.drain()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await made.close()
        self.workers.clear()

    @contextlib.contextmanager
    def process(self, failpoints: str = "", **more: Any) -> Iterator[subprocess.Popen[bytes]]:
        """One more replica, in a process of its own with these settings, killed at the end of the block."""
        chosen = orjson.dumps(more).decode()
        command = [
            sys.executable,
            "-m",
            "support.process",
            "support.dispatcher",
            self.cluster.servers,
            self.cluster.topic_prefix,
            self.dsn,
            chosen,
        ]
        path = os.pathsep.join(["tests", *sys.path])
        child = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path, "SWITCHHOOK_FAILPOINTS": failpoints, "SWITCHHOOK_CHAOS": "1"},
        )
        try:
            yield child
        finally:
            child.kill()
            child.wait()

    async def act(self, kind: str, *, id: str | None = None, day: str | None = None, **fields: Any) -> str:
        """Write an action as the engine does; its id. `seq` comes with send_message."""
        id = id or str(uuid4())
        now = now_text()
        peer = fields.pop("peer", "p1")
        conversation = f"{BOT}/{CHANNEL}/{peer}"
        body = {
            "kind": kind, "id": id, "project_id": PROJECT, "bot_id": BOT, "conversation": conversation,
            "day": day or now[:10], "created_at": now, **fields,
        }  # fmt: skip
        self.offsets["inbound"] = self.offsets.get("inbound", 0) + 1
        headers = ce_headers(id=id, type=f"action.{kind}", source="test", time=now, project=PROJECT)
        headers += source_headers(inbound.TOPIC.name, 0, self.offsets["inbound"], 0)
        await self.raw("actions", orjson.dumps(body), conversation, headers)
        return id

    async def send(self, text: str, seq: int, peer: str = "p1", **more: Any) -> str:
        """A message to a person."""
        fields: dict[str, Any] = {
            "channel_id": CHANNEL, "channel_type": "telegram", "peer_id": peer, "seq": seq, "content": {"text": text},
            "expires_at": "2999-01-01T00:00:00.000Z",
        }  # fmt: skip
        return await self.act("send_message", peer=peer, **(fields | more))

    async def post(self, url: str, **more: Any) -> str:
        """A send_webhook step."""
        fields: dict[str, Any] = {"url": url, "title": "Reserved", "timestamp": now_text()}
        fields["data"] = {"contact": {"id": "c1"}}
        return await self.act("post_webhook", **(fields | more))

    async def event(
        self, type: str, *, id: str | None = None, key: str = "conversation-1", project: str = PROJECT, **data: Any
    ) -> str:
        """Something that happened; its id."""
        id, now = id or str(uuid4()), now_text()
        body = orjson.dumps({"type": type, "timestamp": now, "data": data})
        await self.raw("events", body, key, ce_headers(id=id, type=type, source="test", time=now, project=project))
        return id

    async def raw(self, topic: str, value: bytes | None, key: str, headers: Any) -> None:
        """Anything at all."""
        await self.producer.send_and_wait(self.topic(topic), value, key.encode(), headers=headers)

    async def out(self, name: str) -> list[Record]:
        """All that was written to a topic."""
        return await self.tails.records(self.topic(name))

    def topic(self, name: str) -> str:
        """What `actions`, or `dlq`, is called on the cluster."""
        return self.cluster.named(dlq.topic_for(SERVICE).name if name == "dlq" else f"switchhook.{name}.v1")

    async def bodies(self, name: str) -> list[dict[str, Any]]:
        """The same, as JSON."""
        return [orjson.loads(record.value or b"null") for record in await self.out(name)]

    async def events(self, type: str) -> list[dict[str, Any]]:
        """The data of all events of a type that are in the topic."""
        return [body["data"] for body in await self.bodies("events") if body["type"] == type]

    async def row(self, id: str) -> asyncpg.Record | None:
        """A delivery's row."""
        return await self.pool.fetchrow("SELECT * FROM delivery WHERE id = $1", id)

    async def states(self) -> dict[str, int]:
        """State -> how many deliveries are in it."""
        rows = await self.pool.fetch("SELECT state, count(*) AS n FROM delivery GROUP BY state")
        return {row["state"]: row["n"] for row in rows}


@contextlib.asynccontextmanager
async def dispatcher_on(kafka: str, dsn: str, *entities: Any) -> AsyncIterator[RunningDispatcher]:
    """A dispatcher's surroundings, with these entities in the registry; started by the test. `dsn`: of its tables."""
    cluster = Cluster(kafka, f"test-{uuid4().hex[:10]}.")
    topics = {cluster.named(topic.name): PARTITIONS for topic in TOPICS}
    topics |= {cluster.named(topic.name): 1 for topic in (registry_topic.TOPIC, dlq.topic_for(SERVICE))}
    await create_topics(kafka, topics)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, max_request_size=4 << 20)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            asyncpg.create_pool(dsn, min_size=1, max_size=4, server_settings={"search_path": "dispatcher"})
        )
        registry = await stack.enter_async_context(RegistryWriter(cluster))
        project = Project(
            id=PROJECT, name="P", slug="p", signing_secret=sealed(SIGNING_SECRET, PROJECT, "signing_secret")
        )
        await registry.put(project, Bot(id=BOT, project_id=PROJECT, name="Conference"), *entities)
        await registry.snapshot()
        await producer.start()
        stack.push_async_callback(producer.stop)
        tails = await stack.enter_async_context(Tails(kafka))
        running = RunningDispatcher(cluster, dsn, pool, registry, producer, tails)
        try:
            yield running
        finally:
            await running.stop()
    await delete_topics(kafka, *topics)


async def main(kafka: str, prefix: str, dsn: str, chosen: str) -> None:
    dispatcher = Dispatcher(settings_for(Cluster(kafka, prefix), dsn, **orjson.loads(chosen)))
    await dispatcher.work()
