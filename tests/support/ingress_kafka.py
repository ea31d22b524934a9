"""Ingress at work in the test's process, on topics of the test's own, and an engine that the test plays."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import orjson
from aiokafka import TopicPartition

from contracts import closed_sessions, commands, dlq, events, findings, inbound, registry, replies
from contracts.registry import Token
from contracts.replies import MessagesReply, RunReply
from ingress.assembly import Ingress, build
from ingress.chat.session_reader import SessionReader
from ingress.commands.bridge import Bridge
from ingress.commands.project_bridge import ProjectBridge
from ingress.settings import Settings
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.tokens import NewToken, generate_token
from servicekit.kafka.asker import Asker
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing, Record
from servicekit.registry_view.view import RegistryView
from support import asgi
from support.ingress_fakes import PROJECT
from support.registry_writer import RegistryWriter
from support.topics import create_topics, delete_topics
from support.waiting import eventually

LINK_KEY = "link-key-" * 5
PARTITIONS = {
    inbound.TOPIC.name: 3,
    events.TOPIC.name: 2,
    findings.TOPIC.name: 1,
    replies.TOPIC.name: 4,
    commands.TOPIC.name: 2,
    registry.TOPIC.name: 1,
    closed_sessions.TOPIC.name: 1,
    dlq.topic_for("ingress").name: 1,
}
BIG = {"max.message.bytes": str(5 * 1024 * 1024)}
Reply = Callable[[dict[str, Any]], dict[str, Any] | None]


@dataclass
class Topics:
    """All topics of one test, what lies in them, and the played engine's answers."""

    cluster: Cluster
    registry: RegistryWriter
    publisher: KafkaPublisher
    records: dict[str, list[Record]] = field(default_factory=dict)
    reply: Reply = field(default=lambda _: None)
    """What the engine answers to an inbound value whose caller waits: fields of a RunReply, None: nothing."""
    log: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Chat messages by conversation key: what an attach is answered with."""
    attached: list[dict[str, Any]] = field(default_factory=list)

    def name(self, topic: str) -> str:
        return self.cluster.named(topic)

    def of(self, topic: str) -> list[Record]:
        """The records read so far."""
        return self.records.setdefault(topic, [])

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [orjson.loads(record.value or b"null") for record in self.of(topic)]

    async def arrived(self, topic: str, count: int) -> list[dict[str, Any]]:
        """The values of a topic once it has that many."""
        await eventually(lambda: len(self.of(topic)) >= count)
        return self.values(topic)

    def events(self, type: str) -> list[dict[str, Any]]:
        return [value["data"] for value in self.values(events.TOPIC.name) if value["type"] == type]

    async def read(self) -> None:
        """Read inbound, events and the dead letters for ever, and answer as the engine would."""
        consumer = make_consumer(self.cluster, client_id="engine")
        await consumer.start()
        try:
            read = (inbound.TOPIC.name, events.TOPIC.name, dlq.topic_for("ingress").name)
            parts = [TopicPartition(self.name(topic), n) for topic in read for n in range(PARTITIONS[topic])]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            while True:
                for part, found in (await consumer.getmany(timeout_ms=200)).items():
                    topic = self.cluster.own_name(part.topic)
                    self.of(topic).extend(found)
                    if topic == inbound.TOPIC.name:
                        await self._answer(found)
        finally:
            await consumer.stop()

    async def _answer(self, records: Iterable[Record]) -> None:
        for record in records:
            value = orjson.loads(record.value or b"null")
            if value["kind"] == "attach":
                self.attached.append(value)
                await self._backlog(record, value)
            elif address := value.get("reply_to"):
                answer = self.reply(value)
                if answer is not None:
                    event_id = (dict(record.headers)["ce_id"] or b"").decode()
                    made = RunReply.model_validate({**address, "event_id": event_id, **answer})
                    await self._send(address["partition"], made.encode())

    async def _backlog(self, record: Record, attach: dict[str, Any]) -> None:
        key = (record.key or b"").decode()
        found = [message for message in self.log.get(key, []) if message["seq"] > attach["after"]]
        await self._messages(attach, key, found, attach["request_id"])

    async def say(self, key: str, *texts: str) -> None:
        """The bot says something: it is logged, and copied to whoever is attached."""
        log = self.log.setdefault(key, [])
        first = len(log) + 1
        fresh = [
            {"seq": first + n, "id": f"m{first + n}", "at": "", "content": {"text": t}} for n, t in enumerate(texts)
        ]
        log += fresh
        for attach in {one["instance"]: one for one in self.attached}.values():
            await self._messages(attach, key, fresh, None)

    async def _messages(self, attach: dict[str, Any], key: str, found: list[Any], request_id: str | None) -> None:
        made = MessagesReply(
            instance=attach["instance"], request_id=request_id, conversation=key, messages=tuple(found)
        )
        await self._send(attach["partition"], MessagesReply.model_validate(made.model_dump()).encode())

    async def _send(self, partition: int, value: bytes) -> None:
        await self.publisher.publish(Outgoing(replies.TOPIC.name, b"r", value, [], partition))


@dataclass
class RunningIngress:
    """One replica."""

    ingress: Ingress
    view: RegistryView
    asker: Asker
    bridge: asyncio.Task[None] | None = None
    problem: Callable[[], str | None] = lambda: None
    """Of the bridge."""
    warning: Callable[[], str | None] = lambda: None
    """Of the bridge of projects' own topics."""
    project_bridge: asyncio.Task[None] | None = None

    async def call(self, method: str, path: str, **more: Any) -> asgi.Response:
        return await asgi.call(self.ingress.app, method, path, **more)


@contextlib.asynccontextmanager
async def topics_on(kafka: str) -> AsyncIterator[Topics]:
    """Topics of one test, with a registry writer and a played engine."""
    cluster = Cluster(kafka, f"test-{uuid4().hex[:12]}.")
    made = {cluster.named(name): count for name, count in PARTITIONS.items()}
    await create_topics(kafka, made, config=BIG)
    publisher = KafkaPublisher(cluster, client_id="engine")
    await publisher.start()
    async with RegistryWriter(cluster) as writer:
        topics = Topics(cluster, writer, publisher)
        reading = asyncio.create_task(topics.read())
        try:
            yield topics
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await publisher.stop()
            await delete_topics(kafka, *made)


@contextlib.asynccontextmanager
async def ingress_on(
    topics: Topics, *, instance: str = "a", bridge: bool = False, **more: Any
) -> AsyncIterator[RunningIngress]:
    """One replica at work on these topics, with `more` settings; ready."""
    cluster = topics.cluster
    settings = Settings(
        admin_token="a" * 32,
        link_key=LINK_KEY,
        public_url="https://bots.example",
        kafka=cluster.servers,
        topic_prefix=cluster.topic_prefix,
        instance=instance,
        **more,
    )
    publisher = KafkaPublisher(settings.cluster, client_id=f"ingress-{instance}")
    bridge_publisher = KafkaPublisher(settings.cluster, client_id=f"ingress-bridge-{instance}")
    view = RegistryView(settings.cluster)
    asker = Asker(settings.cluster, instance, publisher=publisher)
    ingress = build(settings, view, asker, publisher)
    asker.subscribe(ingress.attachments.on_messages)
    await publisher.start()
    await view.start()
    sessions = SessionReader(settings.cluster, instance, ingress.closed)
    await asker.start()
    await sessions.start()
    running = RunningIngress(ingress, view, asker)
    try:
        async with asyncio.timeout(20):
            await asyncio.gather(view.wait_ready(), asker.wait_ready())
            await eventually(lambda: sessions.problem() is None)
        if bridge:
            await bridge_publisher.start()
            parts = settings.cluster, instance, 6, ingress.commands, ingress.intake, bridge_publisher
            made, of_projects = Bridge(*parts), ProjectBridge(*parts, view)
            running.bridge, running.problem = asyncio.create_task(made.run()), made.problem
            running.project_bridge, running.warning = asyncio.create_task(of_projects.run()), of_projects.warning
        yield running
    finally:
        for task in filter(None, (running.bridge, running.project_bridge)):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await ingress.intake.drained()
        await asker.stop()
        await sessions.stop()
        await view.stop()
        await publisher.stop()
        await bridge_publisher.stop()


def link_keys() -> LinkKeys:
    """The keys of the link key that these replicas have."""
    return LinkKeys(LINK_KEY)


async def put_token(topics: Topics, **more: object) -> NewToken:
    """Another token of the project."""
    made = generate_token()
    known = {"id": made.id, "project_id": PROJECT, "name": "other", "sha256": made.sha256, "scopes": ("flows:execute",)}
    await topics.registry.put(Token.model_validate(known | more))
    return made
