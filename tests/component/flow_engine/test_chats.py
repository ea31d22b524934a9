"""The chats that a channel has seen, over HTTP: people and groups, and where the bot may begin something."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from contracts.registry import Agent, Bot, Channel
from flow_engine.store import chats
from flow_engine.store.inbox import FIRST
from support.data_api import token
from support.engine_world import BOT, PROJECT, TELEGRAM, WEB, EngineWorld

Headers = dict[str, str]
CHATS = "/v1/conversations/chats"


@pytest.fixture
def admin(world: EngineWorld) -> Headers:
    return token(world, "t-admin", "admin")


async def listed(http: httpx.AsyncClient, headers: Headers, channel: str = TELEGRAM, **query: Any) -> Any:
    answer = await http.get(CHATS, params={"channel": channel} | query, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def by_peer(http: httpx.AsyncClient, headers: Headers, channel: str = TELEGRAM) -> dict[str, Any]:
    return {one["peer_id"]: one for one in (await listed(http, headers, channel))["items"]}


async def test_it_lists_the_people_and_groups_that_were_seen_and_where_the_bot_may_write(
    world: EngineWorld, http: httpx.AsyncClient, admin: Headers
) -> None:
    await world.say("hello?", "501", channel=TELEGRAM, profile={"name": "Ann Lee"})
    await world.say("hello?", "-100", channel=TELEGRAM, chat="group", profile={"name": "Book club"})
    await world.say("hello?", "501", profile={"name": "Ann on the site"})
    assert await by_peer(http, admin) == {
        "501": {"peer_id": "501", "title": "Ann Lee", "type": "private", "can_write": True},
        "-100": {"peer_id": "-100", "title": "Book club", "type": "group", "can_write": True},
    }
    await world.send("reachability", "501", channel=TELEGRAM, state="blocked", reason="my_chat_member")
    left: dict[str, Any] = {"chat": "group", "state": "not_in_chat", "reason": "my_chat_member"}
    await world.send("reachability", "-100", channel=TELEGRAM, **left)
    assert [one["can_write"] for one in (await by_peer(http, admin)).values()] == [False, False]
    assert [one["title"] for one in (await by_peer(http, admin, WEB)).values()] == ["Ann on the site"]


async def test_pages_have_each_once(world: EngineWorld, http: httpx.AsyncClient, admin: Headers) -> None:
    peers = [f"p{number}" for number in range(7)]
    for peer in peers:
        await world.say("hello?", peer, channel=TELEGRAM)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = await listed(http, admin, **query)
        found += [one["peer_id"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert sorted(found) == peers


async def test_only_groups_or_only_people_are_listed_however_far_they_lie_apart(
    world: EngineWorld, http: httpx.AsyncClient, admin: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chats, "CANDIDATES", 3)
    kinds = {f"{number}": "group" if number % 4 == 0 else "private" for number in range(9)}
    for peer, kind in kinds.items():
        await world.say("hello?", peer, channel=TELEGRAM, chat=kind)
    for wanted in ("group", "private"):
        found: list[Any] = []
        query: dict[str, Any] = {"limit": 2, "type": wanted}
        while True:
            page = await listed(http, admin, **query)
            assert len(page["items"]) <= 2
            found += page["items"]
            if page["next"] is None:
                break
            query["cursor"] = page["next"]
        assert {one["type"] for one in found} == {wanted}
        assert sorted(one["peer_id"] for one in found) == [peer for peer, kind in kinds.items() if kind == wanted]


async def test_agents_see_the_chats_of_their_bots_and_other_projects_none(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    world.view.put(
        Agent(id="kim", project_id=PROJECT, name="Kim", email="kim@example.com"),
        Agent(id="lee", project_id=PROJECT, name="Lee", email="lee@example.com", bots=("another-bot",)),
        Bot(id="theirs", project_id="p-other", name="Theirs"),
    )
    await world.say("hello?", "501", channel=TELEGRAM)
    kim, lee = (token(world, f"t-{id}", "agents:chat", agent=id) for id in ("kim", "lee"))
    stranger, reader = token(world, "t-theirs", "admin", project="p-other"), token(world, "t-read", "data:read")
    assert list(await by_peer(http, kim)) == ["501"]
    for headers, status in ((lee, 404), (stranger, 404), (reader, 403)):
        assert (await http.get(CHATS, params={"channel": TELEGRAM}, headers=headers)).status_code == status
    world.view.put(Channel(id="theirs-tg", project_id="p-other", bot_id="theirs", type="telegram", name="tg"))
    assert (await http.get(CHATS, params={"channel": "theirs-tg"}, headers=kim)).status_code == 404
    assert await by_peer(http, stranger, "theirs-tg") == {}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 422),
        ("channel=none", 404),
        (f"channel={WEB}&cursor=x", 422),
        (f"channel={WEB}&limit=0", 422),
        (f"channel={WEB}&type=channel", 422),
    ],
)
async def test_a_wrong_query_is_told(http: httpx.AsyncClient, admin: Headers, query: str, status: int) -> None:
    assert (await http.get(f"{CHATS}?{query}", headers=admin)).status_code == status


async def test_a_page_reads_what_is_on_it(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """However many chats there are: the list is the order of one index."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        rows = await connection.fetch(f"EXPLAIN {chats.PAGE}", BOT, TELEGRAM, FIRST, 51)
    assert any("Index Scan using conversation_of_channel" in row[0] for row in rows)
