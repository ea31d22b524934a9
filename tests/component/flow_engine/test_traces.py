"""GET /v1/conversations/{conversation}/trace: what happened in a conversation, kept with its turns and erased with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.registry import Agent
from flow_engine.state.ids import conversation_id
from support.data_api import token
from support.engine_world import BOT, FLOW, PROJECT, WEB, EngineWorld
from support.tables_of_people import holding

GUIDE = Path(__file__).parents[3] / "docs/how-to/trace.md"


@pytest.fixture
def peer() -> str:
    return uuid4().hex[:8]


def an_agent(world: EngineWorld, name: str, *bots: str) -> dict[str, str]:
    world.view.put(Agent(id=name, project_id=PROJECT, name=name, email=f"{name}@example.com", bots=bots))
    return token(world, f"t-{name}", "agents:chat", agent=name)


def path(peer: str) -> str:
    return f"/v1/conversations/{conversation_id(f'{BOT}/{WEB}/{peer}')}/trace"


async def pages(http: httpx.AsyncClient, peer: str, **query: str) -> list[list[dict[str, Any]]]:
    found = []
    while True:
        answer = await http.get(path(peer), params=query)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


async def test_turns_are_listed_page_by_page_the_newest_first(
    world: EngineWorld, http: httpx.AsyncClient, peer: str
) -> None:
    events = [await world.say(text, peer) for text in ("/start", "what?", "Kafka", "/report", "hello?")]
    found = await pages(http, peer, limit="2")
    assert [len(page) for page in found] == [2, 2, 1]
    turns = [turn for page in found for turn in page]
    assert [turn["event"]["id"] for turn in turns] == events[::-1]
    chosen = next(turn for turn in turns if turn["event"]["id"] == events[2])
    assert next((one["node"], one["port"]) for one in chosen["nodes"]) == ("ask", "ok")
    assert [one for one in chosen["variables"] if one["name"] == "user.lecture"] == [
        {"name": "user.lecture", "flow_id": None, "before": None, "after": "1"}
    ]
    assert await pages(http, peer, turn=str(chosen["turn"])) == [[chosen]]
    assert await pages(http, peer, turn="999") == [[]]
    assert (await http.get(path(peer), params={"turn": "-1"})).status_code == 422


async def test_who_may_read_the_messages_may_read_the_trace(
    world: EngineWorld, http: httpx.AsyncClient, peer: str
) -> None:
    await world.say("/start", peer)
    readers = {
        "of all bots": (an_agent(world, "kim"), 200), "of another bot": (an_agent(world, "lee", "bot-2"), 404),
        "of another project": (token(world, "t-other", "agents:chat", project="project-2"), 404),
        "without the scope": (token(world, "t-data", "data:read"), 403),
    }  # fmt: skip
    for who, (headers, status) in readers.items():
        for of in (path(peer), path(peer).replace("/trace", "/messages")):
            assert (await http.get(of, headers=headers)).status_code == status, (who, of)


async def test_who_is_erased_leaves_no_trace(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record], peer: str
) -> None:
    order = f"order-{uuid4().hex}"
    await world.say("hello?", peer)
    start = {"source": "trigger", "flow_id": FLOW, "entry": "bought", "trigger_id": "t1"}
    await world.send("start", peer, **start, variables={"order_id": order})
    said = (await http.get("/v1/chatlogs", params={"bot": BOT, "limit": "200"})).json()["items"]
    (contact,) = {line["contact_id"] for line in said if line["peer_id"] == peer}
    assert "trace" in await holding(pool, "flow_engine", order)
    assert (await http.delete(f"/v1/contacts/{contact}")).status_code == 202
    await world.settle()
    assert await holding(pool, "flow_engine", order) == set()
    assert await pool.fetchval("SELECT count(*) FROM trace WHERE conversation = $1", path(peer).split("/")[3]) == 0


async def test_the_guide_is_true(world: EngineWorld, http: httpx.AsyncClient, peer: str) -> None:
    await world.say("/start", peer)
    calls = re.findall(r"```http\n(\w+) (.*)\n```", GUIDE.read_text())
    assert len(calls) == 2
    (turn,) = (await pages(http, peer))[0]
    for method, written in calls:
        url = written.replace("{conversation}", path(peer).split("/")[3]).replace("{turn}", str(turn["turn"]))
        answer = await http.request(method, url)
        assert answer.json()["items"] == [turn], written
    for field in turn:
        assert f"`{field}`" in GUIDE.read_text(), field
