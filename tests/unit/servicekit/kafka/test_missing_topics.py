"""A topic that does not exist is asked for at a pause, said once a minute, and named by readiness."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError

from servicekit.kafka.asker import Asker
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import missing_topics
from servicekit.registry_view.view import RegistryView

TOPIC = "blue.switchhook.registry.v1"
UNKNOWN, FINE = 3, 0


@dataclass
class Answer:
    """A metadata response of one broker."""

    topics: list[Any]
    brokers: tuple[Any, ...] = ((0, "127.0.0.1", 1, None),)
    controller_id: int = 0
    API_VERSION: int = 1


@dataclass
class Broker:
    """Says of every topic that it is not there, until `there`."""

    there: bool = False
    asked: list[float] = field(default_factory=list)

    async def send(self, request: Any) -> Answer:
        self.asked.append(time.monotonic())
        partitions = [(FINE, 0, 0, [0], [0])] if self.there else []
        return Answer([(FINE if self.there else UNKNOWN, TOPIC, False, partitions)])


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def client(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.setattr(missing_topics, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(missing_topics, "_missing", set())
    made: Any = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    made.cluster.update_metadata(Answer([]))

    async def connection(node: Any) -> Broker:
        return broker

    monkeypatch.setattr(made, "_get_conn", connection)
    made._topics = {TOPIC}
    made._sync_task = asyncio.create_task(made._md_synchronizer())
    yield made
    await made.close()


async def test_a_client_waits_before_it_asks_again_for_a_topic_that_does_not_exist(client: Any, broker: Broker) -> None:
    for _ in range(4):
        await client.force_metadata_update()
    pauses = [later - before for before, later in zip(broker.asked, broker.asked[1:], strict=False)]
    assert len(pauses) == 3
    assert min(pauses) >= 0.05


async def test_a_topic_that_exists_is_asked_for_at_once(
    client: Any, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_topics, "PAUSE_SECONDS", 3600)
    broker.there = True
    for _ in range(3):
        await client.force_metadata_update()
    assert len(broker.asked) == 3


async def test_readiness_names_the_topic_and_what_to_do(client: Any, broker: Broker) -> None:
    view = RegistryView(Cluster("127.0.0.1:1", "blue."))
    assert "has not been read to its end" in str(view.problem())
    await client.force_metadata_update()
    assert view.problem() == (
        f"the topic {TOPIC} does not exist: check SWITCHHOOK_TOPIC_PREFIX, or make it with `switchhook-ops topics create`"
    )
    broker.there = True
    await client.force_metadata_update()
    assert "has not been read to its end" in str(view.problem())


def test_the_reply_topic_is_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asker = Asker(Cluster("127.0.0.1:1", "blue."), "one")
    monkeypatch.setattr(missing_topics, "_missing", {"blue.switchhook.replies.v1"})
    assert "the topic blue.switchhook.replies.v1 does not exist" in str(asker.problem())


@dataclass
class Node:
    """A client whose broker knows these topics; answers nothing while it is `away`."""

    known: set[str]
    away: bool = False

    def get_random_node(self) -> int:
        return 0

    async def send(self, node: int, request: Any) -> Any:
        if self.away:
            raise KafkaConnectionError
        there = request._topic in self.known
        topic = (
            (FINE, request._topic, b"\x01" * 16, False, [])
            if there
            else (UNKNOWN, request._topic, bytes(16), False, [])
        )
        return Answer([topic])


async def test_a_topic_that_nobody_writes_to_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing_topics, "_missing", set())
    letters, node = f"{TOPIC}.dlq", Node({TOPIC})
    await missing_topics.look(node, [TOPIC, letters])
    assert missing_topics.problem(TOPIC) is None
    assert f"the topic {letters} does not exist" in str(missing_topics.problem(letters))
    node.away = True
    await missing_topics.look(node, [TOPIC, letters])
    assert missing_topics.problem(letters) is not None
    node.away, node.known = False, {TOPIC, letters}
    await missing_topics.look(node, [TOPIC, letters])
    assert missing_topics.problem(letters) is None


async def test_a_topic_that_was_missing_is_looked_for_though_nobody_writes_to_it_again(
    client: Any, broker: Broker
) -> None:
    await client.force_metadata_update()
    await client.close()
    assert missing_topics.problem(TOPIC) is not None
    await missing_topics.look(Node({TOPIC}), [])
    assert missing_topics.problem(TOPIC) is None


def test_the_log_says_it_once_a_minute_for_each_topic(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(missing_topics.LOGGER)
    for topic in ("once", "once", "another", "once"):
        logger.error("Topic %s not found in cluster metadata", topic)
    logger.error("something else")
    logger.error("something else")
    assert [record.getMessage() for record in caplog.records] == [
        "Topic once not found in cluster metadata",
        "Topic another not found in cluster metadata",
        "something else",
        "something else",
    ]
