"""A channel of somebody else's package, from its making at the registry to its platform: no file of the product knows it.

The package lies in this folder, with entry points of its own, and is found as an installed one is. Registry, ingress and
dispatcher are the real ones on one Kafka; the engine's part, an action for an event, is the test's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from hashlib import sha256
from hmac import new
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pytest
import pytest_asyncio

from channels import discovery
from contracts import actions, dlq, inbound
from contracts.cloudevents import headers as ce_headers
from contracts.cloudevents import now_text, source_headers
from dispatcher.main import Dispatcher
from extend.channel.fake_toychat import KEY, FakeToyChat, fake_toychat
from registry.kafka.dispatcher_calls import DispatcherCalls
from servicekit.kafka.asker import Asker
from servicekit.kafka.records import Outgoing
from support.databases import Databases
from support.dispatcher import KEK, settings_for
from support.ingress_kafka import RunningIngress, Topics, ingress_on, topics_on
from support.registry_api import Project, new_project, running_registry
from support.topics import create_topic, delete_topics
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOX = Path(__file__).parent / "toybox"
SECRET = "planted-app-secret"


@dataclass
class World:
    """Registry, ingress and dispatcher at work, beside a ToyChat."""

    project: Project
    topics: Topics
    ingress: RunningIngress
    platform: FakeToyChat
    channel: dict[str, Any]
    """What the registry answered when it was made."""

    @property
    def path(self) -> str:
        return "/v1/" + str(self.channel["inbound_url"]).partition("/v1/")[2]

    async def post(self, body: Any, secret: str = SECRET) -> Any:
        """As ToyChat posts it."""
        raw = orjson.dumps(body)
        signature = new(secret.encode(), raw, sha256).hexdigest()
        return await self.ingress.call("POST", self.path, body=raw, headers={"x-toy-signature": signature})

    async def say(self, text: str, peer: str) -> str:
        """A message of the bot, as the engine writes it."""
        id, now, channel = str(uuid4()), now_text(), self.channel
        key = f"{channel['bot_id']}/{channel['id']}/{peer}"
        action = actions.SendMessage(
            id=id, project_id=self.project.id, bot_id=channel["bot_id"], conversation=key, day=now[:10], created_at=now,
            channel_id=channel["id"], channel_type="toychat", peer_id=peer, seq=1, content={"text": text},
            expires_at="2999-01-01T00:00:00.000Z",
        )  # fmt: skip
        headers = ce_headers(id=id, type="action.send_message", source="test", time=now, project=self.project.id)
        headers += source_headers(inbound.TOPIC.name, 0, len(self.platform.said), 0)
        await self.topics.publisher.publish(Outgoing(actions.TOPIC.name, key.encode(), action.encode(), headers))
        return id

    async def result(self, action_id: str) -> dict[str, Any]:
        """What the engine hears of it."""

        def found() -> list[dict[str, Any]]:
            return [each for each in self.topics.values(inbound.TOPIC.name) if each.get("action_id") == action_id]

        return (await eventually(found))[0]


@pytest.fixture(scope="module")
def installed() -> Iterator[None]:
    """The package's folder stands on the path, as an installed one's does."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BOX)
        discovery.installed.cache_clear()
        yield
    discovery.installed.cache_clear()
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "toychat":
            del sys.modules[name]


@contextlib.asynccontextmanager
async def dispatcher_on(topics: Topics, dsn: str) -> AsyncIterator[None]:
    made = [
        await create_topic(topics.cluster.servers, topics.name(name), partitions=1)
        for name in (actions.TOPIC.name, dlq.topic_for("dispatcher").name)
    ]
    dispatcher = Dispatcher(settings_for(topics.cluster, dsn))
    working = asyncio.create_task(dispatcher.work())
    try:
        yield
    finally:
        await dispatcher.drain()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await dispatcher.close()
        await delete_topics(topics.cluster.servers, *made)


@contextlib.asynccontextmanager
async def registry_on(topics: Topics, dsn: str) -> AsyncIterator[Project]:
    """A project at the registry, whose checks the real dispatcher makes."""
    asker = Asker(topics.cluster, "registry-1", publisher=topics.publisher)
    await asker.start()
    try:
        calls = DispatcherCalls(asker, topics.publisher)
        async with running_registry(topics.cluster, dsn, calls=calls) as replica:
            yield await new_project(replica)
    finally:
        await asker.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(kafka: str, databases: Databases, installed: None) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        dsns = {service: stack.enter_context(databases.fresh(service)) for service in ("registry", "dispatcher")}
        topics = await stack.enter_async_context(topics_on(kafka))
        await topics.registry.snapshot()
        platform = await stack.enter_async_context(fake_toychat())
        await stack.enter_async_context(dispatcher_on(topics, dsns["dispatcher"]))
        ingress = await stack.enter_async_context(ingress_on(topics, kek=KEK))
        project = await stack.enter_async_context(registry_on(topics, dsns["registry"]))
        credentials = {"key": KEY, "app_secret": SECRET}
        body = {"bot": await project.bot(), "type": "toychat", "credentials": credentials, "api_base_url": platform.url}
        yield World(project, topics, ingress, platform, await project.post("/v1/channels", body))


async def test_the_registry_makes_it_and_its_platform_is_asked(world: World) -> None:
    made = world.channel
    assert (made["external_id"], made["url"]) == ("77", "https://toychat.example/77")
    assert (made["webhook_set"], made["hints"]) == (True, [])
    (_, asked), (_, hooked) = (each for each in world.platform.said if each[0] in ("whoami", "hooks"))
    assert asked == {}
    assert hooked == {"bot": "77", "url": made["inbound_url"], "verify_token": made["verify_token"]}
    shown = orjson.dumps(await world.project.get(f"/v1/channels/{made['id']}")).decode()
    assert not [secret for secret in (KEY, SECRET, made["verify_token"], "c0nfirm") if secret in shown]


async def test_wrong_credentials_are_told_in_its_own_words(world: World) -> None:
    body = {"bot": await world.project.bot(), "type": "toychat", "credentials": {"key": "no"}}
    problem = await world.project.post("/v1/channels", body, expect=422)
    assert problem["detail"] == "ToyChat's are {key, app_secret}, from its settings page."
    unknown = await world.project.post("/v1/channels", {**body, "type": "nochat"}, expect=422)
    assert "toychat" in unknown["detail"]


async def test_its_handshakes_are_answered_with_what_is_sealed(world: World) -> None:
    query = f"?hub.verify_token={world.channel['verify_token']}&hub.challenge=1234"
    answer = await world.ingress.call("GET", world.path + query)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"1234", "text/plain")
    assert (await world.ingress.call("GET", world.path + "?hub.verify_token=x&hub.challenge=1")).status == 401
    assert (await world.post({"type": "confirmation"})).body == b"c0nfirm"


async def test_what_it_posts_becomes_events_and_it_hears_ok(world: World) -> None:
    answer = await world.post({"events": [{"id": "e1", "from": "ann", "text": "hello"}, {"id": "e2"}]})
    assert (answer.status, answer.body) == (200, b"ok")
    (said,) = await world.topics.arrived(inbound.TOPIC.name, 1)
    assert (said["kind"], said["channel_type"], said["peer_id"], said["text"]) == ("message", "toychat", "ann", "hello")
    (parked,) = await world.topics.arrived(dlq.topic_for("ingress").name, 1)
    assert parked["events"][1] == {"id": "e2"}
    assert (await world.post({"events": []}, secret="forged")).status == 401


async def test_a_message_reaches_it_in_three_requests(world: World) -> None:
    before = len(world.platform.said)
    id = await world.say("Your seat is 12", "ann")
    result = await world.result(id)
    assert (result["outcome"], result["provider_message_id"]) == ("sent", "message-" + str(before + 3))
    uploaded, kept, said = world.platform.said[before:]
    assert uploaded == ("files", "Your seat is 12")
    assert kept == ("keep", {"file": f"file-{before + 1}"})
    assert said == ("say", {"to": "ann", "once": id, "picture": f"picture-{before + 2}"})


async def test_who_blocked_it_is_unreachable_and_what_is_too_long_is_not_sent(world: World) -> None:
    world.platform.blocked_by.add("bob")
    blocked = await world.result(await world.say("Hello", "bob"))
    assert (blocked["outcome"], blocked["unreachable"], blocked["error"]["detail"]) == (
        "failed", "blocked", "she blocked you",
    )  # fmt: skip
    long = await world.result(await world.say("x" * 201, "cyd"))
    assert long["error"]["type"] == "text-length"
