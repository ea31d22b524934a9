"""Commands in the topics of projects that have their own: the same way as commands.v1, for that project only."""

from __future__ import annotations

from collections.abc import AsyncIterator

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from contracts import commands, dlq, events, inbound, project_topics
from contracts.ids import derived_id
from contracts.registry import Bot, Project, Token
from ingress.commands import project_bridge
from servicekit.credentials.tokens import generate_token
from support.ingress_fakes import BOT, CHANNEL, FLOW, PROJECT, SECRET
from support.ingress_kafka import Topics, ingress_on
from support.topics import create_topics, delete_topics
from support.waiting import eventually

INBOUND, EVENTS, DLQ = inbound.TOPIC.name, events.TOPIC.name, dlq.topic_for("ingress").name
START = {
    "kind": "start", "bot": BOT, "person": {"peer_id": "5", "channel_id": CHANNEL}, "flow": "reserve", "entry": "bought",
    "variables": {"order_id": "7"},
}  # fmt: skip
OTHER = "project-2"


def project(id: str, slug: str, *, own_topics: bool = True) -> Project:
    return Project(id=id, name=slug, slug=slug, signing_secret=SECRET, own_topics=own_topics)


class Program:
    """Another program's producer."""

    def __init__(self, topics: Topics, token: str) -> None:
        self.topics, self.token = topics, token
        self.producer = AIOKafkaProducer(bootstrap_servers=topics.cluster.servers)
        self.made = list[str]()

    async def make(self, *slugs: str, partitions: int = project_topics.PARTITIONS) -> None:
        """The topics of commands, as an operator makes them."""
        names = [self.topics.name(project_topics.commands_topic(slug).name) for slug in slugs]
        await create_topics(self.topics.cluster.servers, dict.fromkeys(names, partitions))
        self.made += names

    async def send(self, slug: str | None, id: str, *, token: str | None = None, bot: str = BOT) -> None:
        """Start the flow; without a slug through the topic of all."""
        topic = commands.TOPIC if slug is None else project_topics.commands_topic(slug)
        headers = [("ce_id", id.encode()), ("authorization", f"Bearer {token or self.token}".encode())]
        await self.producer.send_and_wait(
            self.topics.name(topic.name), orjson.dumps(START | {"bot": bot}), key=b"k", headers=headers
        )


@pytest.fixture
async def program(topics: Topics, shop, monkeypatch) -> AsyncIterator[Program]:
    monkeypatch.setattr(project_bridge, "LOOK_SECONDS", 0.3)
    topics.reply = lambda _: {"status": "started"}
    made = Program(topics, shop.token)
    await made.producer.start()
    yield made
    await made.producer.stop()
    if made.made:
        await delete_topics(topics.cluster.servers, *made.made)


async def stranger(topics: Topics) -> str:
    """A token of another project, which has a bot."""
    token = generate_token()
    known = {"id": token.id, "project_id": OTHER, "name": "o", "sha256": token.sha256, "scopes": ("flows:execute",)}
    await topics.registry.put(Token.model_validate(known), Bot(id="bot-2", project_id=OTHER, name="Theirs"))
    return token.text


async def test_a_command_in_a_projects_topic_goes_the_same_way_and_is_the_same_one(program: Program) -> None:
    topics = program.topics
    await topics.registry.put(project(PROJECT, "shop"))
    await program.make("shop")
    async with ingress_on(topics, bridge=True):
        await program.send("shop", "c1")
        await eventually(lambda: topics.events("command.accepted"))
        await program.send(None, "c1")
        await eventually(lambda: len(topics.of(INBOUND)) == 2)
    event_id = derived_id("command", PROJECT, "c1")
    assert {dict(record.headers)["ce_id"] for record in topics.of(INBOUND)} == {event_id.encode()}
    start = topics.values(INBOUND)[0]
    assert (start["source"], start["flow_id"], start["peer_id"]) == ("command", FLOW, "5")
    assert dict(topics.of(EVENTS)[0].headers)["ce_project"] == PROJECT.encode()


async def test_it_acts_for_that_project_only(program: Program) -> None:
    topics = program.topics
    await topics.registry.put(project(PROJECT, "shop"), project(OTHER, "other"))
    theirs = await stranger(topics)
    await program.make("shop")
    async with ingress_on(topics, bridge=True):
        await program.send("shop", "of another", token=theirs, bot="bot-2")
        await program.send("shop", "operator's", token="a" * 32, bot="bot-2")
        await program.send("shop", "nobody's", token="swh_nonsense")
        await eventually(lambda: len(topics.events("command.rejected")) == 3)
    problems = {each["command"]["id"]: each["problem"]["type"] for each in topics.events("command.rejected")}
    assert problems == {
        "of another": "token-not-of-this-project", "operator's": "not-found", "nobody's": "unauthorized",
    }  # fmt: skip
    assert {dict(record.headers)["ce_project"] for record in topics.of(EVENTS)} == {PROJECT.encode()}
    assert topics.of(INBOUND) == []


async def test_a_topic_that_is_missing_stops_nobodys_commands_and_is_read_once_it_is_there(program: Program) -> None:
    topics = program.topics
    await topics.registry.put(project(PROJECT, "shop"), project(OTHER, "other"))
    theirs = await stranger(topics)
    await program.make("other")
    async with ingress_on(topics, bridge=True) as running:
        await program.send("other", "o1", token=theirs, bot="bot-2")
        await program.send(None, "c1")
        await eventually(lambda: len(topics.events("command.accepted") + topics.events("command.rejected")) == 2)
        warning = await eventually(running.warning)
        assert "switchhook.project.shop.commands.v1" in warning
        await program.make("shop", partitions=1)
        await program.send("shop", "c2")
        await eventually(lambda: {each["command"]["id"] for each in topics.events("command.accepted")} >= {"c1", "c2"})
        assert running.warning() is None


async def test_a_topic_of_a_project_that_has_none_any_more_is_not_read(program: Program) -> None:
    topics = program.topics
    await topics.registry.put(project(PROJECT, "shop"), project(OTHER, "other"))
    theirs = await stranger(topics)
    await program.make("shop", "other")
    async with ingress_on(topics, bridge=True):
        await program.send("shop", "c1")
        await eventually(lambda: topics.events("command.accepted"))
        await topics.registry.put(project(PROJECT, "shop", own_topics=False))
        await program.send("other", "o1", token=theirs, bot="bot-2")
        await eventually(lambda: topics.events("command.rejected"))
        await program.send("shop", "c2")
        await program.send("other", "o2", token=theirs, bot="bot-2")
        await eventually(lambda: len(topics.events("command.rejected")) == 2)
    assert len(topics.of(INBOUND)) == 1


async def test_commands_that_nobody_had_taken_are_taken_by_the_next_replica(program: Program) -> None:
    topics = program.topics
    await topics.registry.put(project(PROJECT, "shop"))
    await program.make("shop")
    async with ingress_on(topics, bridge=True):
        await program.send("shop", "c1")
        await eventually(lambda: topics.events("command.accepted"))
    await program.send("shop", "c2")
    async with ingress_on(topics, instance="b", bridge=True):
        await eventually(lambda: "c2" in {each["command"]["id"] for each in topics.events("command.accepted")})
