"""Processes of both services are killed while conversations wait for a language model, one of its tools, and requests."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from contracts import dlq
from contracts.registry import ApiCall, Project
from support.databases import Databases
from support.dispatcher import SIGNING_SECRET, RunningDispatcher, sealed, secret
from support.engine import RunningEngine, engine_on
from support.engine_flows import _flow
from support.engine_world import PROJECT
from support.fake_model import FakeModel, calls, completion, fake_model
from support.receiver import Receiver, receiver
from support.topics import create_topics
from support.waiting import eventually

KEY = "Bearer sk-planted-secret-value"
SHORT: dict[str, Any] = {"lease_seconds": 4.0, "lease_margin_seconds": 0.5}
"""Much less than the half minute that a call has: what a dead process leased is claimed while somebody still waits for it."""
PORTS = {"ok": "told", "error": "failed", "timeout": "failed"}


def asking(url: str) -> dict[str, Any]:
    """/ai asks a model that may book, /post books by itself, /get only looks."""
    request = {"type": "http_request", "save": {"memory.seats": "seats"}, "ports": PORTS}
    commands = [{"id": name, "type": "command", "value": f"/{name}", "to": name} for name in ("ai", "post", "get")]
    return _flow("asking", commands, {
        "ai": {"type": "ai", "model": "main", "tools": ["book"], "say": True, "ports": {"error": "failed"}},
        "post": {**request, "method": "POST", "url": f"{url}/post", "json": {"day": "mon"}},
        "get": {**request, "method": "GET", "url": f"{url}/get"},
        "told": {"type": "say", "parts": [{"text": "{{ memory.seats }} seats"}]},
        "failed": {"type": "say", "parts": [{"text": "No: {{ temp.error.type }}"}]},
    })  # fmt: skip


@pytest.fixture
def dispatchers_database(databases: Databases) -> Iterator[str]:
    with databases.fresh("dispatcher") as dsn:
        yield dsn


@pytest.fixture
async def shop() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def llm() -> AsyncIterator[FakeModel]:
    async with fake_model() as made:
        yield made


@pytest.fixture
async def engine(kafka: str, database: str, shop: Receiver, llm: FakeModel) -> AsyncIterator[RunningEngine]:
    """Not at work yet."""
    async with engine_on(kafka, database, asking(shop.url)) as made:
        await create_topics(kafka, {made.cluster.named(dlq.topic_for("dispatcher").name): 1})
        call = {"project_id": PROJECT, "method": "POST"}
        await made.registry.put(
            Project(id=PROJECT, name="P", slug="p", signing_secret=sealed(SIGNING_SECRET, PROJECT, "signing_secret")),
            ApiCall(id="api-2", name="book", url=f"{shop.url}/book", parameters={"day": "string!"}, **call),
            ApiCall(id="model-1", name="main", kind="model", url=llm.url, model="m", auth_secret="llm", **call),
            secret("llm", KEY),
        )
        yield made


@pytest.fixture
async def dispatcher(engine: RunningEngine, dispatchers_database: str) -> AsyncIterator[RunningDispatcher]:
    """Beside that engine; not at work yet."""
    async with asyncpg.create_pool(dispatchers_database, min_size=1, max_size=2) as pool:
        made = RunningDispatcher(
            engine.cluster, dispatchers_database, pool, engine.registry, engine.producer, engine.tails
        )
        yield made
        await made.stop()


@pytest.mark.seconds(90)
async def test_what_a_killed_process_left_is_asked_again_only_where_that_does_no_harm(
    engine: RunningEngine, dispatcher: RunningDispatcher, shop: Receiver, llm: FakeModel
) -> None:
    """Engines die between commit and publishing, and after publishing; dispatchers once the model has answered, while a request
    that books and one that looks are on their way, and while the tool is."""
    await _asked_of_killed_engines(engine)
    shop.hold("/post")
    looks, books = shop.hold("/get"), shop.hold("/book")
    llm.may_answer.clear()
    llm.answers = [completion("Lost."), calls(("c1", "book", {"day": "mon"})), completion("Please call us.")]
    with dispatcher.process("kill=1@before_record", **SHORT) as child:
        await eventually(lambda: _are_asked(shop, llm), seconds=30)
        llm.may_answer.set()
        await died(child)
    assert await engine.said("ai") == []
    looks.set()
    shop.answer("/get", 200, {"seats": 4})
    with dispatcher.process(**SHORT):
        await eventually(lambda: shop.requests_to("/book"), seconds=30)
        await eventually(lambda: _said(engine, get="4 seats", post="No: interrupted"), seconds=30)
    books.set()
    await dispatcher.start(**SHORT)
    await eventually(lambda: _said(engine, ai="Please call us."), seconds=30)
    assert Counter(request.path for request in shop.requests) == {"/post": 1, "/get": 2, "/book": 1}
    first, again, last = llm.questions
    assert first == again
    assert [message["role"] for message in last["messages"]] == ["user", "assistant", "tool"]
    assert "not idempotent" in last["messages"][-1]["content"]


async def _asked_of_killed_engines(engine: RunningEngine) -> None:
    """What is asked is an action of each, and one of them lies in the topic twice."""
    for peer in ("ai", "post"):
        await engine.say(f"/{peer}", peer)
    await engine.killed("after_commit")
    assert await engine.bodies("actions") == []
    await engine.say("/get", "get")
    await engine.killed("after_publish")
    await engine.start()
    await eventually(lambda: _all_asked(engine), seconds=30)


async def _all_asked(engine: RunningEngine) -> bool:
    ids = Counter(action["id"] for action in await engine.bodies("actions"))
    return len(ids) == 3 and max(ids.values()) > 1


async def died(child: subprocess.Popen[bytes]) -> None:
    assert await asyncio.to_thread(child.wait, 30) != 0


def _are_asked(shop: Receiver, llm: FakeModel) -> bool:
    return bool(llm.questions and shop.requests_to("/post") and shop.requests_to("/get"))


async def _said(engine: RunningEngine, **expected: str) -> bool:
    return all([await engine.said(peer) == [text] for peer, text in expected.items()])
