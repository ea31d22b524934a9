"""GET /v1/contacts?segment=, its count and its export, and pages of members, over PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from contracts.registry import Bot, Segment
from flow_engine.segments import members, walker
from flow_engine.segments.members import Segments, evaluated, read_filter
from flow_engine.store import contact_lists
from support.data_api import KafkaOfWorld, data_api, token
from support.engine_world import BOT, PROJECT, EngineWorld, flow, flow_version
from support.workers_in_memory import WorkersInMemory

THEIRS, OTHER_BOT = "project-2", "bot-of-another-project"
VIPS = Segment(id="segment-1", project_id=PROJECT, name="vips", filter='"vip" in contact.tags')
RICH = Segment(id="segment-2", project_id=PROJECT, name="rich", filter="contact.variables.points > 5")
WALKED = Segment(
    id="segment-3", project_id=PROJECT, name="walked", filter='contact.tags.exists(tag, tag.startsWith("v"))'
)
REACHED = Segment(
    id="segment-4", project_id=PROJECT, name="reached", filter='contact.channels.exists(c, c.state == "active")'
)


@pytest.fixture
async def http(world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[httpx.AsyncClient]:
    world.view.put(Bot(id=OTHER_BOT, project_id=THEIRS, name="Theirs"))
    for segment in (VIPS, RICH, WALKED, REACHED):
        world.view.put(segment)
    async with data_api(world, pool, KafkaOfWorld(world)) as client:
        yield client


async def listed(http: httpx.AsyncClient, **query: Any) -> list[str]:
    """The names of all that a list has, page by page."""
    found: list[str] = []
    while True:
        answer = await http.get("/v1/contacts", params=query)
        assert answer.status_code == 200, answer.text
        found += [item["name"] for item in answer.json()["items"]]
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


async def some_people(world: EngineWorld) -> None:
    """Five of them, made in this order; those with an even number are vips, and have as many points."""
    for number in range(5):
        await world.say("hello?", str(number), profile={"name": f"Anna {number}"})
        tags = ["vip"] if number % 2 == 0 else ["visitor", "new"]
        await world.send("contact_update", str(number), add_tags=tags, variables={"points": 3 * number})
        world.at_ms += 1000


@pytest.mark.parametrize(
    ("segment", "found", "evaluated"),
    [
        ("vips", [4, 2, 0], "query"),
        ("segment-1", [4, 2, 0], "query"),
        ("rich", [4, 3, 2], "query"),
        ("walked", [4, 3, 2, 1, 0], "walk"),
        ("reached", [4, 3, 2, 1, 0], "walk"),
    ],
)
async def test_a_segments_members_are_listed_counted_and_exported(
    world: EngineWorld, http: httpx.AsyncClient, segment: str, found: list[int], evaluated: str
) -> None:
    await some_people(world)
    expected = [f"Anna {number}" for number in found]
    for limit in (1, 2, 50):
        assert await listed(http, segment=segment, limit=limit) == expected
    assert (await http.get("/v1/contacts", params={"segment": segment})).json()["evaluated"] == evaluated
    counted = (await http.get("/v1/contacts/count", params={"segment": segment})).json()
    assert counted == {"count": len(found), "is_exact": True, "evaluated": evaluated}
    lines = (await http.get("/v1/contacts/export", params={"segment": segment})).text.splitlines()
    assert [orjson.loads(line)["name"] for line in lines] == expected


@pytest.mark.parametrize("segment", ["rich", "walked"])
async def test_a_segment_narrows_the_other_filters(world: EngineWorld, http: httpx.AsyncClient, segment: str) -> None:
    await some_people(world)
    kept = {"Anna 3", "Anna 1"} if segment == "walked" else {"Anna 3"}
    for limit in (1, 50):
        assert set(await listed(http, segment=segment, tag="new", limit=limit)) == kept
        assert await listed(http, segment=segment, q="3", limit=limit) == ["Anna 3"]
    assert (await http.get("/v1/contacts/count", params={"tag": "new"})).json() == {"count": 2, "is_exact": True}
    counted = await http.get("/v1/contacts/count", params={"segment": segment, "tag": "new"})
    assert counted.json()["count"] == len(kept)


@pytest.mark.parametrize(
    "filter", ['"Order paid" in contact.webhook_titles', 'contact.webhook_titles.exists(title, title.endsWith("paid"))']
)
async def test_a_segment_is_of_those_about_whom_a_webhook_was_received(
    world: EngineWorld, http: httpx.AsyncClient, filter: str
) -> None:
    await some_people(world)
    anna = (await http.get("/v1/contacts", params={"q": "3"})).json()["items"][0]["id"]
    key = f"{BOT}/-/{anna}"
    await world.send("webhook_received", "-", channel="-", key=key, contact_id=anna, title="Order paid")
    world.view.put(VIPS.model_copy(update={"filter": filter}))
    assert await listed(http, segment="vips") == ["Anna 3"]
    assert (await http.get("/v1/contacts/count", params={"segment": "vips"})).json()["count"] == 1


@pytest.mark.parametrize("segment", ["vips", "walked"])
async def test_a_page_of_a_segment_looks_at_a_bounded_number_and_goes_on(
    world: EngineWorld, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, segment: str
) -> None:
    monkeypatch.setattr(contact_lists, "CANDIDATES", 2)
    monkeypatch.setattr(members, "AT_ONCE", 2)
    await some_people(world)
    nobody = RICH.model_copy(update={"filter": "contact.variables.points > 99"})
    world.view.put(nobody)
    first = (await http.get("/v1/contacts", params={"segment": "rich", "limit": 2})).json()
    assert (first["items"], first["next"] is None) == ([], False)
    assert await listed(http, segment="rich", limit=2) == []
    assert len(await listed(http, segment=segment, limit=2)) == (3 if segment == "vips" else 5)


async def test_a_count_ends_where_it_would_take_long(
    world: EngineWorld, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_people(world)
    monkeypatch.setattr(members, "MOST_COUNTED", 3)
    monkeypatch.setattr(members, "COUNTED_AT_ONCE", 2)
    for segment in ("walked", "reached"):
        counted = (await http.get("/v1/contacts/count", params={"segment": segment})).json()
        assert (counted["count"], counted["is_exact"]) == (3, False)
    assert (await http.get("/v1/contacts/count")).json() == {"count": 3, "is_exact": False}
    assert (await http.get("/v1/contacts/count", params={"segment": "vips"})).json()["is_exact"] is True
    monkeypatch.setattr(members, "COUNT_SECONDS", 0.0)
    assert (await http.get("/v1/contacts/count")).json() == {"count": 0, "is_exact": False}


async def test_another_projects_people_and_segments_are_seen_by_nothing(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    await some_people(world)
    everybody = Segment(id="segment-9", project_id=THEIRS, name="everybody", filter="true")
    walked = Segment(id="segment-8", project_id=THEIRS, name="walked", filter="size(contact.name) > 0")
    world.view.put(everybody)
    world.view.put(walked)
    theirs = token(world, "theirs", "data:read", project=THEIRS)
    for path in ("/v1/contacts", "/v1/contacts/count", "/v1/contacts/export"):
        for segment in ("everybody", "walked"):
            answer = await http.get(path, params={"segment": segment}, headers=theirs)
            assert answer.status_code == 200
            assert "Anna" not in answer.text
            assert answer.json()["count"] == 0 if path.endswith("count") else True
        foreign = await http.get(path, params={"segment": VIPS.id}, headers=theirs)
        unknown = await http.get(path, params={"segment": "unheard-of"}, headers=theirs)
        assert (foreign.status_code, foreign.json()) == (404, unknown.json())
        foreign = await http.get(path, params={"segment": everybody.id})
        assert (foreign.status_code, foreign.json()) == (404, unknown.json())


async def test_of_the_same_bot_only_the_projects_own_rows_are_members(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await some_people(world)
    segments, stranger = Segments(WorkersInMemory(lambda: walker.ask)), Bot(id=BOT, project_id=THEIRS, name="Theirs")
    assert evaluated(read_filter("size(contact.name) > 0")) == "walk"
    for filter in ("true", "size(contact.name) > 0", '"vip" in contact.tags'):
        assert (await segments.members(pool, stranger, read_filter(filter), None, 50)).items == []


async def test_who_costs_too_much_or_ends_the_worker_is_no_member(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await some_people(world)
    costly = {"points": 1, "many": list(range(1000))}
    await world.send("contact_update", "1", variables=costly)
    bot = Bot(id=BOT, project_id=PROJECT, name="Ours")
    filter = read_filter(
        "!has(contact.variables.many) || contact.variables.many.all(x, " + "x < 9999 && " * 80 + "true)"
    )
    workers = WorkersInMemory(lambda: walker.ask)
    segments = Segments(workers)
    assert len((await segments.members(pool, bot, filter, None, 50)).items) == 4
    workers.by_limit = True
    workers.ends = lambda task, progress: any(one["name"] == "Anna 3" for one in task.people)
    found = await segments.members(pool, bot, read_filter("contact.name.matches('Anna')"), None, 50)
    assert len(found.items) == 4


ASKING = {
    "schema": "flow/1", "slug": "asking", "name": "asking", "start": "ask",
    "triggers": [{"id": "ask", "type": "command", "value": "/ask", "to": "ask"}],
    "nodes": {
        "ask": {"type": "condition", "branches": [{"if": 'in_segment("vips") || in_segment("walked")', "to": "in"}],
                "else": "out", "ports": {"error": "failed"}},
        "in": {"type": "say", "parts": [{"text": "in"}]},
        "out": {"type": "say", "parts": [{"text": "out"}]},
        "failed": {"type": "say", "parts": [{"text": "failed"}]},
    },
}  # fmt: skip


@pytest.mark.parametrize("loops", [False, True], ids=["here", "in a worker"])
async def test_a_flow_asks_for_the_segment_as_it_is_now(world: EngineWorld, loops: bool) -> None:
    for entity in (flow_version(ASKING, flow="flow-9"), flow("asking", id="flow-9")):
        world.view.put(entity)
    nobody, wanted = "[false].exists(no, no)" if loops else "false", "contact.name == 'Anna'"
    wanted = f"[true].exists(yes, yes) && {wanted}" if loops else wanted
    world.view.put(WALKED.model_copy(update={"filter": nobody}))

    async def answer() -> str:
        await world.say("/ask", profile={"name": "Anna"})
        return (await world.said())[-1]

    assert await answer() == "failed"
    world.view.put(VIPS.model_copy(update={"filter": nobody}))
    assert await answer() == "out"
    world.view.put(VIPS.model_copy(update={"filter": wanted}))
    assert await answer() == "in"
    world.view.put(VIPS.model_copy(update={"filter": '"Order paid" in contact.webhook_titles'}))
    assert await answer() == "out"
    id = world.events("message.received")[-1]["contact"]["id"]
    await world.send("webhook_received", "-", channel="-", key=f"{BOT}/-/{id}", contact_id=id, title="Order paid")
    assert await answer() == "in"
    for unknown in ("has(contact.created_at)", "has(contact.channels)"):
        world.view.put(VIPS.model_copy(update={"filter": wanted}))
        assert await answer() == "in"
        world.view.put(VIPS.model_copy(update={"filter": unknown}))
        assert await answer() == "failed"


GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "segments.md"


async def test_the_requests_and_filters_of_the_guide_are_answered(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await some_people(world)
    text = GUIDE.read_text()
    filters = re.findall(r"(?m)^\| `(.+?)` \|", text)
    assert len(filters) > 5
    for filter in filters:
        read_filter(filter.replace("\\|", "|"))
    requests = re.findall(r"(?m)^```http\nGET (.*)$", text)
    assert len(requests) > 2
    for path in requests:
        assert (await http.get(path)).is_success
