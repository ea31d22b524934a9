"""Events in the topics of projects that have their own: all of them, in order, and nobody waits for another one's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from uuid import uuid4

import orjson
import pytest

from contracts import cloudevents, project_topics
from contracts.registry import Project
from support.dispatcher import PROJECT, SIGNING_SECRET, RunningDispatcher, endpoint, sealed
from support.receiver import Receiver
from support.topics import create_topics, delete_topics, set_topic
from support.waiting import eventually

OTHER = "project-2"
KEYS = ("conversation-1", "conversation-2", "conversation-3")


def project(id: str, slug: str, *, own_topics: bool = True) -> Project:
    secret = sealed(SIGNING_SECRET, id, "signing_secret")
    return Project(id=id, name=slug, slug=slug, signing_secret=secret, own_topics=own_topics)


def topic_of(dispatcher: RunningDispatcher, slug: str) -> str:
    return dispatcher.cluster.named(project_topics.events_topic(slug).name)


@contextlib.asynccontextmanager
async def topics_for(dispatcher: RunningDispatcher, *slugs: str) -> AsyncIterator[None]:
    names = {topic_of(dispatcher, slug): project_topics.PARTITIONS for slug in slugs}
    await create_topics(dispatcher.cluster.servers, names)
    yield
    await delete_topics(dispatcher.cluster.servers, *names)


async def ids_in(dispatcher: RunningDispatcher, slug: str, key: str | None = None) -> list[str]:
    """The events of the project's topic by their ids, repeats left out; of one key: in their order."""
    records = await dispatcher.tails.records(topic_of(dispatcher, slug))
    ids = [dict(each.headers)["ce_id"] or b"" for each in records if key is None or each.key == key.encode()]
    return list(dict.fromkeys(id.decode() for id in ids))


async def tell(dispatcher: RunningDispatcher, begin: int, end: int, *, project: str = PROJECT) -> list[str]:
    """Events whose ids are numbers, in turn of three conversations."""
    return [
        await dispatcher.event("tag.added", id=f"{project}-{number}", key=KEYS[number % 3], project=project)
        for number in range(begin, end)
    ]


async def all_there(dispatcher: RunningDispatcher, slug: str, sent: Sequence[str]) -> None:
    """All of them, and of each conversation in the order in which they were sent."""
    await eventually(lambda: _has(dispatcher, slug, sent), seconds=40)
    for number, key in enumerate(KEYS):
        of_key = [id for id in sent if int(id.rsplit("-", 1)[1]) % 3 == number]
        assert await ids_in(dispatcher, slug, key) == of_key


async def _has(dispatcher: RunningDispatcher, slug: str, sent: Sequence[str]) -> bool:
    return set(await ids_in(dispatcher, slug)) >= set(sent)


async def test_a_projects_events_are_copied_as_they_are_and_no_other_projects(dispatcher: RunningDispatcher) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"), project(OTHER, "q", own_topics=False))
    async with topics_for(dispatcher, "p"):
        await dispatcher.start()
        body = orjson.dumps({"type": "tag.added", "timestamp": cloudevents.now_text(), "data": {"tag": "vip"}})
        plain = cloudevents.headers(
            id="e-1", type="tag.added", source="switchhook/flow-engine", time="2026-11-21T00:00:00Z",
            project=PROJECT, subject="conversation-1", traceparent="00-1-2-01",
        )  # fmt: skip
        inner = [*cloudevents.source_headers("switchhook.inbound.v1", 3, 4711, 0), ("swh-registry-offset", b"0")]
        await dispatcher.event("tag.added", id="not-ours", project=OTHER)
        await dispatcher.raw("events", body, "conversation-1", [*plain, *inner])
        [copy] = await eventually(lambda: dispatcher.tails.records(topic_of(dispatcher, "p")))
        assert (copy.key, copy.value, list(copy.headers)) == (b"conversation-1", body, plain)
        sent = await tell(dispatcher, 0, 30)
        await eventually(lambda: _has(dispatcher, "p", sent))
        assert "not-ours" not in await ids_in(dispatcher, "p")


async def test_a_missing_topic_holds_up_only_its_own_events_and_they_follow_in_order(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"), project(OTHER, "q"))
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    async with topics_for(dispatcher, "q"):
        running = await dispatcher.start()
        first = await tell(dispatcher, 0, 6)
        others = await tell(dispatcher, 0, 6, project=OTHER)
        await all_there(dispatcher, "q", others)
        await eventually(lambda: len(sink.requests) == 6)
        assert not any(check() for check in running.checks().values())
        warning = await eventually(lambda: running.warnings()["copies"]())
        assert "p: the topic switchhook.project.p.events.v1 does not exist" in warning
        async with topics_for(dispatcher, "p"):
            more = await tell(dispatcher, 6, 12)
            await all_there(dispatcher, "p", [*first, *more])
            await eventually(lambda: running.warnings()["copies"]() is None)


async def test_a_topic_that_refuses_holds_up_only_its_own_events(dispatcher: RunningDispatcher) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"), project(OTHER, "q"))
    async with topics_for(dispatcher, "p", "q"):
        running = await dispatcher.start()
        before = [await tell(dispatcher, 0, 3), await tell(dispatcher, 0, 3, project=OTHER)]
        await all_there(dispatcher, "p", before[0])
        await all_there(dispatcher, "q", before[1])
        name, servers = topic_of(dispatcher, "p"), dispatcher.cluster.servers
        await set_topic(servers, name, {"max.message.bytes": "100"})
        refused = await tell(dispatcher, 3, 6)
        warning = await eventually(lambda: running.warnings()["copies"]())
        assert "Kafka does not take what is written to switchhook.project.p.events.v1" in warning
        others = await tell(dispatcher, 3, 9, project=OTHER)
        await all_there(dispatcher, "q", [*before[1], *others])
        await set_topic(servers, name, {"max.message.bytes": "1000000"})
        await all_there(dispatcher, "p", [*before[0], *refused])


@pytest.mark.parametrize("point", ["after_commit", "before_copy", "after_copy"])
async def test_a_death_loses_no_copy(dispatcher: RunningDispatcher, point: str) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"))
    async with topics_for(dispatcher, "p"):
        sent = await tell(dispatcher, 0, 20)
        with dispatcher.process(f"kill=1@{point}") as child:
            assert await asyncio.to_thread(child.wait, 30) != 0
        await dispatcher.start()
        sent += await tell(dispatcher, 20, 25)
        await all_there(dispatcher, "p", sent)


@pytest.mark.seconds(60)
async def test_replicas_that_come_and_go_lose_no_copy_and_keep_the_order(dispatcher: RunningDispatcher) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"))
    async with topics_for(dispatcher, "p"):
        await dispatcher.start("a")
        sent = await tell(dispatcher, 0, 20)
        await dispatcher.start("b")
        sent += await tell(dispatcher, 20, 60)
        (made, task), *dispatcher.workers = dispatcher.workers
        await made.drain()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await made.close()
        sent += await tell(dispatcher, 60, 80)
        await all_there(dispatcher, "p", sent)


async def test_without_its_topics_nothing_is_copied_and_nothing_is_left_of_it(dispatcher: RunningDispatcher) -> None:
    await dispatcher.registry.put(project(PROJECT, "p"), project(OTHER, "q"))
    async with topics_for(dispatcher, "p", "q"):
        running = await dispatcher.start()
        sent = await tell(dispatcher, 0, 3)
        await all_there(dispatcher, "p", sent)
        await dispatcher.registry.put(project(PROJECT, "p", own_topics=False))
        await eventually(lambda: not running.view.get("project", PROJECT).own_topics)
        await tell(dispatcher, 3, 6)
        await all_there(dispatcher, "q", await tell(dispatcher, 0, 3, project=OTHER))
        assert await ids_in(dispatcher, "p") != []
        await eventually(lambda: _rows(dispatcher, PROJECT, 0))
        assert set(await ids_in(dispatcher, "p")) == set(sent)


async def _rows(dispatcher: RunningDispatcher, project_id: str, count: int) -> bool:
    found = await dispatcher.pool.fetchval("SELECT count(*) FROM event_copy WHERE project_id = $1", project_id)
    return bool(found == count)


async def test_what_finds_no_room_in_memory_is_read_again(
    dispatcher: RunningDispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dispatcher.copies.copier.MOST_WAITING", 0)
    await dispatcher.registry.put(project(PROJECT, "p"))
    async with topics_for(dispatcher, "p"):
        await dispatcher.start()
        pad = "x" * 2000
        sent = [
            await dispatcher.event("tag.added", id=f"e-{number}", key=KEYS[number % 3], note=pad + str(uuid4()))
            for number in range(40)
        ]
        await all_there(dispatcher, "p", sent)
