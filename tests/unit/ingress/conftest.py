"""Ingress on fakes: a registry in a dict, a publisher that remembers, and an engine that a test plays."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from contracts import events, inbound
from contracts.replies import RunReply
from contracts.topic import Topic
from ingress.assembly import Ingress, build
from ingress.settings import Settings
from ingress.web.openapi import OPERATIONS
from servicekit.credentials.links import LinkKeys
from servicekit.kafka.records import Outgoing
from support import asgi
from support.described import Described
from support.ingress_fakes import FakeAsker, FakePublisher, FakeView, registry

DESCRIBED = Described("ingress", OPERATIONS)
LINK_KEY = "link-key-" * 5


@dataclass
class Rig:
    """`engine` turns an inbound record's value into the reply its caller gets; None: no word."""

    view: FakeView
    token: str
    publisher: FakePublisher
    asker: FakeAsker
    ingress: Ingress
    keys: LinkKeys
    engine: Callable[[dict[str, Any]], dict[str, Any] | None] = field(default=lambda _: None)

    def on_record(self, record: Outgoing) -> None:
        if record.topic != inbound.TOPIC.name:
            return
        value = orjson.loads(record.value)
        address = value.get("reply_to")
        reply = self.engine(value) if address else None
        if reply is not None:
            event_id = dict(record.headers)["ce_id"].decode()
            made = RunReply(instance="i", request_id=address["request_id"], event_id=event_id, **reply)
            future = self.asker.futures[address["request_id"]]
            asyncio.get_running_loop().call_soon(future.set_result, made)

    async def call(self, method: str, path: str, **more: Any) -> asgi.Response:
        answer = await asgi.call(self.ingress.app, method, path, **more)
        media_type = answer.headers.get("content-type", "")
        body = answer.json if "json" in media_type else None
        DESCRIBED.check(method, path, answer.status, body, media_type)
        return answer

    async def run(self, body: Any = None, *, headers: Mapping[str, str] | None = None, **more: Any) -> asgi.Response:
        """POST the trigger with its token, for peer 5 unless told."""
        given = {"peer_id": 5, "variables": {"order_id": "7"}} if body is None else body
        return await self.call(
            "POST",
            "/v1/run/trigger-1",
            json=given,
            headers={"authorization": f"Bearer {self.token}", **(headers or {})},
            **more,
        )

    @property
    def inbound(self) -> list[dict[str, Any]]:
        return [orjson.loads(record.value) for record in self.publisher.of(inbound.TOPIC.name)]

    def events(self, type: str, topic: Topic = events.TOPIC) -> list[dict[str, Any]]:
        found = [orjson.loads(record.value) for record in self.publisher.of(topic.name)]
        return [event["data"] for event in found if event["type"] == type]


@pytest.fixture
async def rig():
    view, token = registry()
    publisher, asker = FakePublisher(), FakeAsker()
    settings = Settings(admin_token="a" * 32, link_key=LINK_KEY, public_url="https://bots.example")
    made = Rig(view, token, publisher, asker, build(settings, view, asker, publisher), LinkKeys(LINK_KEY))
    made.ingress.closed.known = True
    publisher.on_record = made.on_record
    yield made
    await made.ingress.intake.drained()
