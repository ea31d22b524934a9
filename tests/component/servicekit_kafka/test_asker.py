"""Replies find the one who waits for them, and only that one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from contracts import replies
from contracts.actions import MessageContent
from contracts.inbound import ReplyTo
from contracts.replies import ChatMessage, MessagesReply, RunReply
from servicekit.kafka.asker import Asker
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing
from support.waiting import eventually

MakeTopic = Callable[..., Awaitable[str]]
TOPIC = replies.TOPIC.name


@pytest.fixture
async def publisher(cluster: Cluster) -> AsyncIterator[KafkaPublisher]:
    made = KafkaPublisher(cluster, client_id="test")
    await made.start()
    yield made
    await made.stop()


@contextlib.asynccontextmanager
async def asking(cluster: Cluster, instance: str, publisher: KafkaPublisher | None = None) -> AsyncIterator[Asker]:
    asker = Asker(cluster, instance, publisher=publisher)
    await asker.start()
    try:
        async with asyncio.timeout(15):
            await asker.wait_ready()
        yield asker
    finally:
        await asker.stop()


def reply(to: ReplyTo, answer: str) -> Outgoing:
    body = RunReply(
        instance=to.instance, request_id=to.request_id, event_id="e", status="completed", answer=answer
    ).encode()
    return Outgoing(TOPIC, to.request_id.encode(), body, [], to.partition)


async def test_two_instances_on_one_partition_get_their_own_replies(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    await make_topic(TOPIC)
    async with asking(cluster, "one") as one, asking(cluster, "two") as two:
        (to_one, first), (to_two, second) = one.ask(), two.ask("verdict")
        assert to_two.until == "verdict"
        await publisher.publish_many([reply(to_two, "for two"), reply(to_one, "for one")])
        async with asyncio.timeout(10):
            assert (await first).answer == "for one"
            assert (await second).answer == "for two"


async def test_what_nobody_waits_for_and_what_cannot_be_read_is_passed_over(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    await make_topic(TOPIC)
    async with asking(cluster, "one") as one:
        given_up, _ = one.ask()
        _.cancel()
        unknown = ReplyTo(instance="one", partition=0, request_id="unknown")
        to, future = one.ask()
        await publisher.publish_many(
            [
                reply(given_up, "late"),
                reply(unknown, "whose?"),
                Outgoing(TOPIC, b"x", b"not json", [], 0),
                Outgoing(TOPIC, b"x", None, [], 0),
                Outgoing(TOPIC, to.request_id.encode(), b'{"kind":"run","instance":"two"}', [], 0),
                reply(to, "mine"),
            ]
        )
        async with asyncio.timeout(10):
            assert (await future).answer == "mine"


async def test_copies_of_messages_go_to_listeners_and_backlogs_to_who_asked(
    cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic
) -> None:
    await make_topic(TOPIC)
    message = ChatMessage(seq=1, id="m", at="2026-11-21T00:00:00.000Z", content=MessageContent(text="hello"))
    copies: list[MessagesReply] = []
    async with asking(cluster, "one") as one:
        one.subscribe(copies.append)
        to, backlog = one.ask()
        for request_id in (None, to.request_id):
            body = MessagesReply(instance="one", request_id=request_id, conversation="b/c/p", messages=(message,))
            await publisher.publish(Outgoing(TOPIC, b"k", body.encode(), [], 0))
        async with asyncio.timeout(10):
            assert (await backlog).messages == (message,)
    assert [copy.request_id for copy in copies] == [None]


async def test_instances_count_each_other(cluster: Cluster, publisher: KafkaPublisher, make_topic: MakeTopic) -> None:
    await make_topic(TOPIC, partitions=3)
    async with asking(cluster, "one", publisher) as one, asking(cluster, "two", publisher) as two:
        assert one.instances in (1, 2)
        await eventually(lambda: one.instances == two.instances == 2)
        _, future = one.ask()
    assert future.cancelled(), "who waits when the process ends is told so"
