"""GET /v1/contacts, /v1/contacts/export, /v1/contacts/{contact} and /v1/chatlogs, over PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest

from contracts.registry import Bot, OptOut
from flow_engine.store import chat_log, contact_lists
from flow_engine.store.contact_lists import Filter
from support.data_api import KafkaOfWorld, data_api, token
from support.engine_world import BOT, PROJECT, TELEGRAM, EngineWorld

OTHER_BOT = "bot-of-another-project"


@pytest.fixture
async def http(world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[httpx.AsyncClient]:
    world.view.put(Bot(id=OTHER_BOT, project_id="project-2", name="Theirs"))
    async with data_api(world, pool, KafkaOfWorld(world)) as client:
        yield client


async def items(http: httpx.AsyncClient, path: str, **query: Any) -> list[dict[str, Any]]:
    """All that a list has, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


async def names(http: httpx.AsyncClient, **query: Any) -> list[str]:
    return [item["name"] for item in await items(http, "/v1/contacts", **query)]


async def update(world: EngineWorld, peer: str, **fields: Any) -> None:
    await world.send("contact_update", peer, **fields)


async def some_people(world: EngineWorld) -> None:
    """Four of them, made in this order."""
    for peer, name in (("1", "Anna Berg"), ("2", "Ben Ängström"), ("3", "Cleo Annas"), ("4", "Dana")):
        await world.say("hello?", peer, profile={"name": name})
        world.at_ms += 1000
    await update(world, "1", add_tags=["vip", "new"], profile={"email": "Anna@Example.com", "phone": "+49 170 1234567"})
    await update(world, "3", add_tags=["vip"], profile={"external_id": "C-17", "username": "@cleo"})


async def test_a_list_is_complete_and_in_one_order_whatever_the_page(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    await some_people(world)
    everybody = ["Dana", "Cleo Annas", "Ben Ängström", "Anna Berg"]
    for limit in (1, 3, 4, 50):
        assert await names(http, bot=BOT, limit=limit) == everybody
    assert await names(http) == everybody  # The project has one bot.
    assert await names(http, tag="vip", limit=1) == ["Cleo Annas", "Anna Berg"]
    assert await names(http, tag="vip ") == []
    exported = await http.get("/v1/contacts/export", params={"tag": "vip"})
    assert exported.headers["content-type"] == "application/x-ndjson"
    assert [orjson.loads(line)["name"] for line in exported.text.splitlines()] == ["Cleo Annas", "Anna Berg"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("ann", ["Anna Berg", "Cleo Annas"]),
        ("ANNA ber", ["Anna Berg"]),
        ("ängs", ["Ben Ängström"]),
        ("anna@exam", ["Anna Berg"]),
        ("+49 (170) 123", ["Anna Berg"]),
        ("c-1", ["Cleo Annas"]),
        ("@cleo", ["Cleo Annas"]),
        ("nna", []),
        ("%", []),
    ],
)
async def test_a_search_finds_words_by_their_beginnings(
    world: EngineWorld, http: httpx.AsyncClient, q: str, found: list[str]
) -> None:
    await some_people(world)
    assert await names(http, q=q) == found
    assert await names(http, q=q, limit=1) == found


async def test_whoever_is_found_by_several_words_stands_in_the_list_once(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    await world.say("hello?", "1", profile={"name": "Anna Annika Anders", "username": "annabell"})
    assert await names(http, q="ann", limit=1) == ["Anna Annika Anders"]


async def test_several_filters_are_all_kept(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await some_people(world)
    assert await names(http, q="ann", tag="new") == ["Anna Berg"]
    assert await names(http, tag="vip", flag="seen") == []


async def test_a_filter_follows_each_change(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await some_people(world)
    await update(world, "1", remove_tags=["vip"], profile={"name": "Maria"})
    assert await names(http, tag="vip") == ["Cleo Annas"]
    assert await names(http, q="berg") == []
    assert await names(http, q="mar") == ["Maria"]
    await update(world, "2", add_tags=["vip"])
    assert await names(http, tag="vip") == ["Cleo Annas", "Ben Ängström"]


async def test_a_page_with_several_filters_looks_at_a_bounded_number_and_goes_on(
    world: EngineWorld, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_lists, "CANDIDATES", 2)
    for number in range(7):
        await world.say("hello?", str(number), profile={"name": f"Anna {number}"})
        await update(world, str(number), add_tags=["even" if number % 6 == 0 else "odd"])
    first = (await http.get("/v1/contacts", params={"q": "anna", "tag": "even", "limit": 2})).json()
    assert len(first["items"]) < 2
    assert first["next"] is not None
    assert sorted(await names(http, q="anna", tag="even", limit=2)) == ["Anna 0", "Anna 6"]


async def test_a_contact_shows_where_it_can_be_written_to(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("hello?", "1", profile={"name": "Anna"})
    await update(world, "1", profile={"external_id": "c-1"}, variables={"points": 3})
    at = datetime.fromtimestamp(world.at_ms / 1000, UTC)
    world.at_ms += 60_000
    profile = {"external_id": "c-1"}
    await world.say("hello?", "99", channel=TELEGRAM, profile=profile, verified=["external_id"])
    await world.send("reachability", "99", channel=TELEGRAM, state="blocked", reason="kicked")
    (listed,) = await items(http, "/v1/contacts")
    assert (await http.get(f"/v1/contacts/{listed['id']}")).json() == listed
    assert (listed["name"], listed["external_id"], listed["city"]) == ("Anna", "c-1", None)
    assert listed["variables"] == {"points": 3}
    shown = [(one["channel_id"], one["peer_id"], one["state"]) for one in listed["channels"]]
    assert shown == [(TELEGRAM, "99", "blocked"), ("web-1", "1", "active")]
    assert datetime.fromisoformat(listed["channels"][1]["last_user_message_at"]) == at
    assert datetime.fromisoformat(listed["last_seen_at"]) == at + timedelta(minutes=1)
    assert [one["window_until"] for one in listed["channels"]] == [None, None]


async def test_who_was_merged_is_listed_once_and_found_under_both_ids(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    await world.say("hello?", "1", profile={"name": "Anna"})
    world.at_ms += 1000
    await world.say("hello?", "2", profile={"name": "Anne"})
    second, first = await items(http, "/v1/contacts")
    await update(world, "1", profile={"external_id": "c-1"})
    await update(world, "2", profile={"external_id": "c-1"})
    assert [one["id"] for one in await items(http, "/v1/contacts")] == [first["id"]]
    assert [one["id"] for one in await items(http, "/v1/contacts", q="anne")] == []
    shown = (await http.get(f"/v1/contacts/{second['id']}")).json()
    assert shown["id"] == first["id"]
    assert {one["peer_id"] for one in shown["channels"]} == {"1", "2"}


async def test_another_projects_people_are_seen_by_nothing(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await some_people(world)
    (anna,) = await items(http, "/v1/contacts", q="anna@")
    theirs = token(world, "theirs", "data:read", project="project-2")
    for query in ({}, {"tag": "vip"}, {"q": "anna"}, {"bot": OTHER_BOT}):
        assert (await http.get("/v1/contacts", params=query, headers=theirs)).json() == {"items": [], "next": None}
    foreign = await http.get(f"/v1/contacts/{anna['id']}", headers=theirs)
    unknown = await http.get(f"/v1/contacts/{uuid4()}", headers=theirs)
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    foreign = await http.get("/v1/contacts", params={"bot": BOT}, headers=theirs)
    unknown = await http.get("/v1/contacts", params={"bot": "unheard-of"}, headers=theirs)
    assert (foreign.status_code, foreign.json()) == (404, unknown.json())
    foreign = await http.get("/v1/chatlogs", params={"bot": OTHER_BOT, "contact": anna["id"]}, headers=theirs)
    assert foreign.json() == {"items": [], "next": None}
    with_cursor = (await http.get("/v1/contacts", params={"limit": 1})).json()["next"]
    assert (await http.get("/v1/contacts", params={"cursor": with_cursor}, headers=theirs)).json()["items"] == []


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        ("/v1/contacts", {"tag": ""}, "tag"),
        ("/v1/contacts", {"q": " "}, "q"),
        ("/v1/contacts", {"q": "a b c d e f g h i"}, "q"),
        ("/v1/contacts", {"cursor": "WyJhIiwiYiJd"}, "cursor"),
        ("/v1/contacts", {"tags": "vip"}, "tags"),
        ("/v1/chatlogs", {"since": "yesterday"}, "since"),
        ("/v1/chatlogs", {"contact": "anna"}, "contact"),
        ("/v1/chatlogs", {"cursor": "WyJhIiwiYiJd"}, "cursor"),
    ],
)
async def test_what_is_asked_wrongly_is_told(
    http: httpx.AsyncClient, path: str, query: dict[str, str], field: str
) -> None:
    answer = await http.get(path, params=query)
    assert answer.status_code == 422
    assert field in answer.json()["detail"]


async def test_of_several_bots_one_has_to_be_named(world: EngineWorld, http: httpx.AsyncClient) -> None:
    world.view.put(Bot(id="bot-2", project_id=PROJECT, name="Second"))
    refused = await http.get("/v1/contacts")
    assert (refused.status_code, "2 bots" in refused.json()["detail"]) == (422, True)
    unmade = await http.post("/v1/contacts", json={"name": "Anna"})
    assert (unmade.status_code, unmade.json()["errors"][0]["pointer"]) == (422, "#/bot")
    assert (await http.get("/v1/contacts", params={"bot": "bot-2"})).json()["items"] == []


async def test_the_chat_log_keeps_the_order_in_which_it_was_said(world: EngineWorld, http: httpx.AsyncClient) -> None:
    for text, peer in (("one", "1"), ("eins", "2"), ("two", "1"), ("zwei", "2"), ("three", "1")):
        await world.say(text, peer)
        world.at_ms += 1000
    whole = await items(http, "/v1/chatlogs", bot=BOT)
    said = [(line["peer_id"], line["sender"], line["content"]["text"]) for line in whole]
    assert [text for _, sender, text in said if sender == "person"] == ["one", "eins", "two", "zwei", "three"]
    assert {line["sender"] for line in whole} == {"person", "bot"}
    for limit in (1, 2, 3):
        assert await items(http, "/v1/chatlogs", limit=limit) == whole
    later = [line for line in whole if line["at"] >= whole[-4]["at"]]
    assert await items(http, "/v1/chatlogs", since=whole[-4]["at"]) == later
    one = whole[0]["contact_id"]
    hers = [line for line in whole if line["contact_id"] == one]
    for limit in (1, 2, 50):
        assert await items(http, "/v1/chatlogs", contact=one, limit=limit) == hers
    world.view.put(Bot(id="second", project_id=PROJECT, name="Second"))
    assert await items(http, "/v1/chatlogs", contact=one) == hers
    assert (await http.get("/v1/chatlogs")).status_code == 422
    assert await items(http, "/v1/chatlogs", contact=one, since=later[0]["at"]) == [
        line for line in hers if line in later
    ]


async def test_who_unsubscribed_stays_so_and_is_shown_so(world: EngineWorld, http: httpx.AsyncClient) -> None:
    world.view.put(Bot(id=BOT, project_id=PROJECT, name="Conference", opt_out=OptOut()))
    try:
        await world.say("stop", "leaver", profile={"name": "Leaver"})
        await world.say("hello?", "leaver")
        (told,) = world.events("bot.unsubscribed")
        assert (told["reason"], told["contact"]["name"]) == ("opted-out", "Leaver")
        assert (await world.said("leaver"))[0] == OptOut().text
        (leaver,) = await items(http, "/v1/contacts", q="leaver")
        assert [one["state"] for one in leaver["channels"]] == ["unsubscribed"]
        await world.say("subscribe", "leaver")
        (leaver,) = await items(http, "/v1/contacts", q="leaver")
        assert [one["state"] for one in leaver["channels"]] == ["active"]
    finally:
        world.view.put(Bot(id=BOT, project_id=PROJECT, name="Conference"))


GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "contacts.md"


async def test_the_requests_of_the_guide_are_answered(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("hello?", "1", profile={"name": "Ann Lee"})
    await update(world, "1", add_tags=["vip"])
    await world.say("hello?", "2", profile={"name": "Ann"})
    ann, other = sorted(await items(http, "/v1/contacts"), key=lambda one: len(one["name"]), reverse=True)
    requests = re.findall(r"(?m)^```http\n(GET|POST|PATCH) (.*)\n(.*)$", GUIDE.read_text())
    assert len(requests) == 10
    for method, path, body in requests:
        sent = {"content": body.replace("{other}", other["id"])} if method != "GET" else {}
        answer = await http.request(method, path.replace("{contact}", ann["id"]), **sent)
        assert answer.is_success, answer.text
        assert path in ("/v1/contacts", "/v1/contacts/import") or ann["id"] in answer.text


PEOPLE = 20_000
MADE = """
INSERT INTO contact (id, project_id, bot_id, profile, tags, flags)
SELECT gen_random_uuid(), $1, 'bot-' || i % 20, jsonb_build_object('name', 'Anna ' || i),
       ARRAY['all', 'tag-' || i % 100], ARRAY['flag-' || i % 100]
  FROM generate_series(1, $2::int) i
"""
SAID = """
INSERT INTO message (conversation, seq, place, sender, id, at, content, bot_id)
SELECT gen_random_uuid(), 1, 1, 'bot', gen_random_uuid(), now() - i * interval '1 s', '{}', 'bot-' || i % 20
  FROM generate_series(1, $1::int) i
"""
PAGES: dict[str, Filter] = {
    "all": Filter("bot-1"),
    "a tag that everybody has": Filter("bot-1", tag="all"),
    "a tag that few have": Filter("bot-1", tag="tag-1"),
    "a flag": Filter("bot-1", flag="flag-1"),
    "a word that everybody has": Filter("bot-1", words=("anna",)),
    "a word that one has": Filter("bot-1", words=("777",)),
    "several": Filter("bot-1", tag="all", flag="flag-1", words=("anna",)),
}


class Explained:
    """A connection that keeps, of each statement, how many rows its plan looked at, and how many blocks it read."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.looked_at, self.blocks = 0.0, 0

    async def fetch(self, statement: str, *given: Any) -> Any:
        plan = await self._connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *given)
        node = orjson.loads(plan)[0]["Plan"]
        self._count(node)
        self.blocks += node["Shared Hit Blocks"] + node["Shared Read Blocks"]
        return await self._connection.fetch(statement, *given)

    async def fetchval(self, statement: str, *given: Any) -> Any:
        return await self._connection.fetchval(statement, *given)

    def _count(self, node: dict[str, Any]) -> None:
        if "Relation Name" in node:
            rows = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
            self.looked_at += rows * node["Actual Loops"]
        for child in node.get("Plans", ()):
            self._count(child)


async def test_a_search_begins_to_read_at_its_word(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO contact_term SELECT 'many', 'word', 'a' || i, gen_random_uuid() FROM generate_series(1, 100000) i"
        )
        explained: Any = Explained(connection)
        await contact_lists.page(explained, Filter("many", words=("zed",)), None, 10)
    assert explained.blocks < 20


async def test_no_list_reads_more_than_its_page(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    async with pool.acquire() as connection:
        await connection.execute(MADE, PROJECT, PEOPLE)
        await connection.execute(SAID, PEOPLE)
        await connection.execute("VACUUM ANALYZE contact, contact_term, message")
        read: dict[str, float] = {}
        for name, asked in PAGES.items():
            explained: Any = Explained(connection)
            first = await contact_lists.page(explained, asked, None, 10)
            read[name] = explained.looked_at
            if first.next:
                await contact_lists.page(explained, asked, first.next, 10)
                read[f"{name}, second page"] = explained.looked_at - read[name]
        explained = Explained(connection)
        await chat_log.lines(explained, "bot-1", contact_id=None, since=None, after=None, limit=10)
        read["chat log"] = explained.looked_at
    several = {name: rows for name, rows in read.items() if name.startswith("several")}
    assert {name: rows for name, rows in read.items() if rows > 60 and name not in several} == {}
    assert max(several.values()) < 3 * contact_lists.CANDIDATES
