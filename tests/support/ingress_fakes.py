"""Ingress without Kafka: a registry in a dict, a publisher that remembers, an engine that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from contracts.inbound import ReplyTo
from contracts.registry import Bot, Channel, Flow, FlowVersion, Project, Sealed, Token, Trigger, TriggerAuth
from servicekit.credentials.tokens import generate_token
from servicekit.kafka.publisher import NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.registry_view.stamps import Stamp

PROJECT, BOT, CHANNEL, FLOW, TRIGGER = "project-1", "bot-1", "channel-1", "flow-1", "trigger-1"
SECRET = Sealed(kek_id="k", wrapped_key="", nonce="", ciphertext="")


class FakeView:
    """The registry view's look-ups over plain dicts. `later` holds what becomes visible at the next catch-up."""

    def __init__(self) -> None:
        self.ready = True
        self.stamp = Stamp(7, "topic-1")
        self.reachable = True
        self.entities: dict[tuple[str, str], Any] = {}
        self.later: dict[tuple[str, str], Any] = {}
        self.gone: set[tuple[str, str]] = set()
        self.catch_ups = 0
        self._listeners: list[Callable[[str, str, Any], None]] = []

    def put(self, kind: str, model: Any) -> None:
        id = getattr(model, "id", None) or f"{model.flow_id}/{model.version}"
        self.entities[kind, id] = model
        for listener in self._listeners:
            listener(kind, id, model)

    def on_change(self, listener: Callable[[str, str, Any], None]) -> None:
        self._listeners.append(listener)

    def get(self, kind: str, id: str) -> Any:
        return self.entities.get((kind, id))

    def find(self, kind: str, index: str, value: str) -> Any:
        return next((m for (k, _), m in self.entities.items() if k == kind and getattr(m, index) == value), None)

    def all(self, kind: str, project_id: str) -> list[Any]:
        return [m for (k, _), m in self.entities.items() if k == kind and m.project_id == project_id]

    def deleted(self, kind: str, id: str) -> bool:
        return (kind, id) in self.gone

    def delete(self, kind: str, id: str) -> None:
        """As a tombstone does."""
        del self.entities[kind, id]
        self.gone.add((kind, id))
        for listener in self._listeners:
            listener(kind, id, None)

    async def current(self) -> bool:
        self.catch_ups += 1
        if self.reachable:
            self.entities.update(self.later)
        return self.reachable


class FakePublisher:
    """Remembers what was published; `down` refuses everything."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.down = False
        self.on_record: Callable[[Outgoing], None] = lambda _: None

    async def publish(self, record: Outgoing) -> int:
        if self.down:
            raise NotAcknowledged("down")
        self.records.append(record)
        self.on_record(record)
        return len(self.records) - 1

    async def publish_many(self, records: list[Outgoing]) -> None:
        for record in records:
            await self.publish(record)

    def of(self, topic: str) -> list[Outgoing]:
        return [record for record in self.records if record.topic == topic]


class FakeAsker:
    """Hands out addresses; a test sets the result of the future that belongs to one."""

    def __init__(self) -> None:
        self.instance = "ingress-1"
        self.ready = True
        self.instances = 1
        self.futures: dict[str, asyncio.Future[Any]] = {}

    def ask(self, until: Literal["verdict", "rest"] = "rest") -> tuple[ReplyTo, asyncio.Future[Any]]:
        request_id = f"r{len(self.futures)}"
        self.futures[request_id] = asyncio.get_running_loop().create_future()
        address = ReplyTo(instance=self.instance, partition=3, request_id=request_id, until=until)
        return address, self.futures[request_id]


def registry() -> tuple[FakeView, str]:
    """A view with a project, a bot on one Telegram channel, a published flow with a webhook trigger, and its token."""
    view, token = FakeView(), generate_token()
    view.put("project", Project(id=PROJECT, name="Shop", slug="shop", signing_secret=SECRET))
    view.put("bot", Bot(id=BOT, project_id=PROJECT, name="Conference"))
    view.put("channel", Channel(id=CHANNEL, project_id=PROJECT, bot_id=BOT, type="telegram", name="tg"))
    view.put("flow", Flow(id=FLOW, project_id=PROJECT, bot_id=BOT, slug="reserve", name="Reserve", published=2))
    view.put("flow_version", FlowVersion(flow_id=FLOW, project_id=PROJECT, bot_id=BOT, version=2, document=DOCUMENT))
    view.put(
        "token", Token(id=token.id, project_id=PROJECT, name="shop", sha256=token.sha256, scopes=("flows:execute",))
    )
    view.put("trigger", trigger(token.id))
    return view, token.text


def trigger(token_id: str | None, **more: Any) -> Trigger:
    """The trigger of `registry`, with changes."""
    auth = TriggerAuth(scheme="token", token_id=token_id) if token_id else TriggerAuth(scheme="url")
    known = {"id": TRIGGER, "project_id": PROJECT, "bot_id": BOT, "flow_id": FLOW, "entry": "bought", "auth": auth}
    return Trigger(**(known | {"channel_id": CHANNEL} | more))


DOCUMENT = {
    "schema": "flow/1",
    "slug": "reserve",
    "start": "paid",
    "variables": {"seats": {"type": "integer", "scope": "memory"}, "lecture": {"type": "string", "scope": "user"}},
    "triggers": [
        {"id": "bought", "type": "webhook", "accept": {"order_id": "string!", "total": "number"}, "to": "paid"}
    ],
    "nodes": {"paid": {"type": "end"}},
}
