"""The agents' inbox over HTTP: lists, what was said, and what an agent does, each decided by the conversation's partition."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import orjson
import pytest

from contracts.registry import Agent, Bot
from flow_engine.store import inbox
from flow_engine.web import inbox_stream
from flow_engine.web.inbox import shown
from servicekit.web.problems import ProblemError
from support.data_api import token
from support.engine_live_chat_suite import DESK
from support.engine_world import BOT, PROJECT, TELEGRAM, WEB, EngineWorld, flow, flow_version

Headers = dict[str, str]
ALL = "/v1/conversations"
GUIDE = Path(__file__).parents[3] / "docs/how-to/live-chat.md"


def an_agent(world: EngineWorld, name: str, *, bots: tuple[str, ...] = (), project: str = PROJECT) -> Headers:
    id = f"agent-{name.lower()}"
    world.view.put(Agent(id=id, project_id=project, name=name, email=f"{name}@example.com", bots=bots))
    return token(world, f"t-{id}", "agents:chat", project=project, agent=id)


@pytest.fixture
def kim(world: EngineWorld) -> Headers:
    return an_agent(world, "Kim")


@pytest.fixture
def lee(world: EngineWorld) -> Headers:
    return an_agent(world, "Lee")


async def met(world: EngineWorld, http: httpx.AsyncClient, kim: Headers, *, queued: bool = False, **more: Any) -> str:
    """Somebody who wrote; the conversation's id."""
    world.view.put(flow_version(DESK, flow="desk"), flow("desk", id="desk"))
    world.at_ms += 1
    name = f"Zoe{uuid4().hex[:8]}"
    await world.say("/human" if queued else "hello?", uuid4().hex[:8], profile={"name": name}, **more)
    (found,) = await listed(http, kim, q=name)
    return str(found["id"])


async def listed(http: httpx.AsyncClient, kim: Headers, **query: str) -> list[dict[str, Any]]:
    """All pages."""
    found: list[dict[str, Any]] = []
    while True:
        answer = await http.get(ALL, params=query, headers=kim)
        assert answer.status_code == 200, answer.text
        found += answer.json()["items"]
        if answer.json()["next"] is None:
            return found
        query["cursor"] = answer.json()["next"]


async def post(http: httpx.AsyncClient, by: Headers, id: str, verb: str, expect: int = 200, **body: Any) -> Any:
    answer = await http.post(f"{ALL}/{id}/{verb}", json=body or None, headers=by)
    assert answer.status_code == expect, answer.text
    return answer.json()


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in found]


async def test_a_queued_conversation_is_taken_over_answered_and_released(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim, queued=True)
    (waiting,) = (one for one in await listed(http, kim, state="queued") if one["id"] == id)
    assert (waiting["state"], waiting["queue"], waiting["agent"]) == ("queued", "Sales", None)
    taken, by_kim = await post(http, kim, id, "takeover"), {"id": "agent-kim", "name": "Kim"}
    assert (taken["state"], taken["agent"]) == ("with_agent", by_kim)
    lists: list[dict[str, str]] = [{"agent": "me"}, {"state": "queued"}]
    assert [id in ids(await listed(http, kim, **of)) for of in lists] == [True, False]
    said = await post(http, kim, id, "messages", 201, text="Hello, I am Kim.")
    assert [one["content"]["text"] for one in said["messages"]] == ["Hello, I am Kim."]
    released = await post(http, kim, id, "release")
    assert (released["state"], released["agent"], released["queue"]) == ("with_bot", None, None)
    log = (await http.get(f"{ALL}/{id}/messages", headers=kim)).json()["items"]
    assert [(one["sender"], one["content"]["text"]) for one in log] == [
        ("bot", "I am back."), ("agent", "Hello, I am Kim."), ("bot", "A colleague is coming."), ("person", "/human"),
    ]  # fmt: skip
    assert log[1]["content"]["agent"] == by_kim


async def test_who_comes_second_hears_who_came_first(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers, lee: Headers
) -> None:
    id = await met(world, http, kim)
    path, key = f"{ALL}/{id}/takeover", {"idempotency-key": f"take-{id}"}
    both = await asyncio.gather(*(http.post(path, headers=by | key) for by in (kim, lee)))
    (won,) = [answer.json() for answer in both if answer.status_code == 200]
    (lost,) = [answer.json() for answer in both if answer.status_code == 409]
    assert lost["type"].endswith("/already-taken")
    assert (lost["reason"], won["agent"]["name"] in lost["detail"]) == (won["agent"]["id"], True)
    second = lee if won["agent"]["name"] == "Kim" else kim
    for verb, body in (("messages", {"text": "x"}), ("release", {}), ("assign", {"agent": "agent-lee"})):
        assert (await post(http, second, id, verb, 409, **body))["type"].endswith("/already-taken")


async def test_an_agent_gives_a_conversation_to_another_one_and_back_to_the_queue(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers, lee: Headers
) -> None:
    id = await met(world, http, kim)
    await post(http, kim, id, "takeover")
    assert (await post(http, kim, id, "assign", agent="agent-lee"))["agent"]["name"] == "Lee"
    assert (await post(http, lee, id, "release", to="queue"))["state"] == "queued"
    refused = await post(http, lee, id, "assign", 422, agent="nobody")
    assert refused["errors"][0]["pointer"] == "#/agent"


async def test_a_message_that_is_sent_again_is_said_once(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim)
    await post(http, kim, id, "takeover")
    same = {"text": "Hello", "client_message_id": "m-1"}
    first, again = [await post(http, kim, id, "messages", 201, **same) for _ in range(2)]
    assert first == again
    assert (await post(http, kim, id, "messages", 422, **same | {"text": "Other"}))["type"].endswith(
        "/idempotency-key-reused"
    )
    log = (await http.get(f"{ALL}/{id}/messages", headers=kim)).json()["items"]
    assert [one["sender"] for one in log].count("agent") == 1


async def test_a_note_is_in_the_log_and_reaches_nobody(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim, channel=TELEGRAM)
    sent = len(world.out("actions"))
    note = await post(http, kim, id, "notes", 201, text="A good customer.")
    (line,) = [
        one for one in (await http.get(f"{ALL}/{id}/messages", headers=kim)).json()["items"] if one["id"] == note["id"]
    ]
    assert (line["sender"], line["content"]["text"], len(world.out("actions"))) == ("note", "A good customer.", sent)


async def test_unread_messages_are_counted_until_they_are_read(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim)
    await post(http, kim, id, "takeover")
    shown = (await http.get(f"{ALL}/{id}", headers=kim)).json()
    await world.say("are you there?", shown["peer_id"])
    assert (await http.get(f"{ALL}/{id}", headers=kim)).json()["unread"] == 1
    assert (await post(http, kim, id, "read"))["unread"] == 0


async def test_lists_are_paged_and_filtered(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers, lee: Headers
) -> None:
    made = [await met(world, http, kim, queued=True) for _ in range(3)]
    queued = [id for id in ids(await listed(http, kim, state="queued", limit="1")) if id in made]
    assert queued == made, "who has waited longest comes first"
    await post(http, lee, made[0], "takeover")
    assert made[0] in ids(await listed(http, kim, state="with_agent"))
    assert made[0] in ids(await listed(http, kim, agent="agent-lee"))
    assert made[0] not in ids(await listed(http, kim, agent="me"))
    with_bot = await met(world, http, kim, channel=TELEGRAM)
    found = ids(await listed(http, kim, state="with_bot", limit="2"))
    assert (with_bot in found, set(made) & set(found)) == (True, set())
    assert with_bot in ids(await listed(http, kim, channel=TELEGRAM))
    assert with_bot not in ids(await listed(http, kim, channel=WEB))
    assert {*made, with_bot} <= set(ids(await listed(http, kim, limit="2")))


@pytest.mark.parametrize("query", ["state=x", "state=queued&agent=me", "cursor=x", "limit=0", "q="])
async def test_a_wrong_query_is_refused(http: httpx.AsyncClient, kim: Headers, query: str) -> None:
    assert (await http.get(f"{ALL}?{query}", headers=kim)).status_code == 422


async def test_another_projects_conversations_are_never_seen(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim)
    world.view.put(Bot(id="bot-other", project_id="project-2", name="Other"))
    stranger = an_agent(world, "Eve", project="project-2")
    assert await listed(http, stranger) == []
    answers = [await http.get(f"{ALL}?bot={BOT}", headers=stranger)]
    for path in ("", "/messages"):
        answers.append(await http.get(f"{ALL}/{id}{path}", headers=stranger))
    for verb, body in (("takeover", None), ("read", None), ("messages", {"text": "x"}), ("notes", {"text": "x"})):
        answers.append(await http.post(f"{ALL}/{id}/{verb}", json=body, headers=stranger))
    unknown = await http.get(f"{ALL}/{uuid4()}", headers=stranger)
    assert {answer.status_code for answer in (*answers, unknown)} == {404}
    assert answers[1].json()["detail"] == unknown.json()["detail"]
    await post(http, kim, id, "takeover")
    refused = await http.post(f"{ALL}/{id}/assign", json={"agent": "agent-eve"}, headers=kim)
    assert refused.status_code == 422


async def test_an_agent_of_one_bot_sees_no_others(world: EngineWorld, http: httpx.AsyncClient, kim: Headers) -> None:
    id = await met(world, http, kim)
    bound = an_agent(world, "Ben", bots=("another-bot",))
    answers = [
        await http.get(path, headers=bound) for path in (f"{ALL}?bot={BOT}", f"{ALL}/{id}", f"{ALL}/{id}/messages")
    ]
    answers.append(await http.post(f"{ALL}/{id}/takeover", headers=bound))
    assert [answer.status_code for answer in answers] == [404] * 4


async def test_admin_and_a_token_of_nobody_act_as_no_agent(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    id = await met(world, http, kim)
    for scopes in (("admin",), ("agents:chat",)):
        nobody = token(world, f"nobody-{scopes[0]}", *scopes)
        assert (await http.get(f"{ALL}/{id}", headers=nobody)).status_code == 200
        refused = await post(http, nobody, id, "takeover", 403)
        assert refused["type"].endswith("/not-an-agent")
        assert (await http.get(f"{ALL}?agent=me", headers=nobody)).status_code == 403


@pytest.mark.parametrize(("kind", "id"), [("agent", "agent-mia"), ("token", "t-agent-mia")])
async def test_what_an_agent_had_who_cannot_act_any_more_can_be_taken_over(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers, kind: str, id: str
) -> None:
    at = await met(world, http, kim, queued=True)
    await post(http, an_agent(world, "Mia"), at, "takeover")
    await post(http, kim, at, "takeover", 409)
    world.view.delete(kind, id, PROJECT)
    assert (await post(http, kim, at, "takeover"))["agent"]["name"] == "Kim"


async def test_a_deleted_agents_token_acts_as_nobody(world: EngineWorld, http: httpx.AsyncClient, kim: Headers) -> None:
    id = await met(world, http, kim)
    gone = token(world, "t-gone", "agents:chat", agent="agent-gone")
    assert (await http.get(f"{ALL}/{id}", headers=gone)).status_code == 404
    assert (await http.get(ALL, headers=gone)).status_code == 404


async def test_an_agent_is_there_until_he_says_otherwise_and_it_is_told_once(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    async def say(state: str) -> dict[str, Any]:
        answer = await http.post(f"{ALL}/presence", json={"state": state}, headers=kim)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def told() -> list[int]:
        return [len(world.events(f"agent.logged_{way}")) for way in ("in", "out")]

    assert (await say("online"))["until"] is not None
    await say("away")
    await say("online")
    assert told() == [1, 0]
    (came,) = world.events("agent.logged_in")
    assert came.keys() == {"event_id", "agent"}
    assert came["agent"] == {"id": "agent-kim", "name": "Kim"}
    assert dict(world.out("events")[-1]._asdict())["key"] == PROJECT.encode()
    assert (await say("offline"))["until"] is None
    await say("offline")
    assert told() == [1, 1]


async def test_an_agent_who_is_not_heard_of_is_offline_once(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers
) -> None:
    world.at_ms -= 60_000  # Two minutes after this is now.
    for _ in range(2):
        assert (await http.post(f"{ALL}/presence", json={"state": "online"}, headers=kim)).status_code == 200
    for _ in range(2):
        await world.timers.fire_due()
        await world.settle()
    assert [len(world.events(f"agent.logged_{way}")) for way in ("in", "out")] == [1, 1]


async def test_a_stream_begins_with_the_list_and_tells_of_each_change_and_of_what_has_gone(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record], kim: Headers
) -> None:
    id = await met(world, http, kim, queued=True)
    watch = inbox_stream.Watch(lambda: pool, inbox.Asked(BOT), shown)

    async def told() -> list[tuple[str, str, int]]:
        found = re.findall(rb"event: (.*)\ndata: (.*)\n\n", await watch.changes())
        events = [(name.decode(), orjson.loads(data)) for name, data in found]
        return [(name, one["state"], one["unread"]) for name, one in events if one["id"] == id]

    assert await told() == [("conversation", "queued", 0)]
    assert await told() == []
    await post(http, kim, id, "takeover")
    assert await told() == [("conversation", "with_agent", 0)]
    await world.say("hello?", (await http.get(f"{ALL}/{id}", headers=kim)).json()["peer_id"])
    assert await told() == [("conversation", "with_agent", 1)]
    await post(http, kim, id, "release")
    assert await told() == [("gone", "with_bot", 0)]
    await met(world, http, kim)
    assert await watch.changes() == b"", "the bot's are not told of"


async def test_a_stream_tells_that_a_conversation_is_no_more(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record], kim: Headers
) -> None:
    id = await met(world, http, kim, queued=True)
    watch = inbox_stream.Watch(lambda: pool, inbox.Asked(BOT), shown)
    assert await watch.changes()
    await pool.execute("DELETE FROM conversation WHERE id = $1", id)
    assert await watch.changes() == b'event: gone\ndata: {"id":"%b"}\n\n' % id.encode()


async def test_a_stream_ends_when_its_token_is_over_and_when_the_process_stops(
    pool: asyncpg.Pool[asyncpg.Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_stream, "HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(inbox_stream, "EVERY_SECONDS", 0.01)
    streams, asked_again = inbox_stream.Streams(), 0

    async def ask_again() -> None:
        nonlocal asked_again
        asked_again += 1
        if asked_again > 2:
            raise ProblemError("unauthorized", 401, "Unauthorized", "The token is not valid.")

    def opened() -> AsyncIterator[bytes]:
        asked = inbox.Asked("no-bot")
        chunks: Any = streams.answer(PROJECT, lambda: pool, asked, shown, ask_again).body_iterator
        return chunks  # type: ignore[no-any-return]

    assert [chunk async for chunk in opened()] == [b": attached\n\n", b": beat\n\n", b": beat\n\n"]
    asked_again, endless = -1_000_000, opened()
    assert await anext(endless) == b": attached\n\n"
    streams.close()
    assert len([chunk async for chunk in endless]) <= 2


@pytest.mark.parametrize("query", ["state=with_bot", "q=ann"])
async def test_a_stream_of_what_the_bot_has_is_refused(http: httpx.AsyncClient, kim: Headers, query: str) -> None:
    headers = kim | {"accept": "text/event-stream"}
    assert (await http.get(f"{ALL}?{query}", headers=headers)).status_code == 422


@pytest.mark.parametrize("asked", [inbox.Asked(BOT, "queued"), inbox.Asked(BOT, by_agents=True), inbox.Asked(BOT)])
async def test_a_page_reads_what_is_on_it(pool: asyncpg.Pool[asyncpg.Record], asked: inbox.Asked) -> None:
    """However many conversations there are: each list is the order of one index."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        given = (asked.bot_id, asked.owner, inbox.BEGINNING, inbox.FIRST, 51, False, None, [])
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {inbox.PAGES[asked.list]}", *given))
    candidates = plan[plan.index("CTE candidates") :]
    assert "Sort" not in candidates.split("CTE Scan")[0]
    assert "Index Scan using conversation_" in candidates


async def test_what_the_guide_shows_works(
    world: EngineWorld, http: httpx.AsyncClient, kim: Headers, lee: Headers
) -> None:
    id = await met(world, http, kim, queued=True)
    requests = re.findall(r"(?m)^```http\n(GET|POST) (.*)\n(.*)$", GUIDE.read_text())
    assert len(requests) == 11
    for method, path, body in requests:
        sent = body.replace("{colleague}", "agent-kim") if body.startswith("{") else None
        answer = await http.request(method, path.format(conversation=id, channel=WEB), content=sent, headers=kim)
        assert answer.is_success, (path, answer.text)
    assert (await http.get(f"{ALL}/{id}", headers=kim)).json()["state"] == "with_bot"


async def test_saving_a_turn_touches_no_index(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record], kim: Headers
) -> None:
    """PostgreSQL then writes the row and nothing else, as it did before there were lists."""
    id = await met(world, http, kim, queued=True)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "UPDATE conversation SET version = version + 1, last_user_at = now(), owner = owner, owner_since = owner_since WHERE id = $1",
            id,
        )
        updated, hot = await connection.fetchrow(
            "SELECT pg_stat_get_xact_tuples_updated(t), pg_stat_get_xact_tuples_hot_updated(t) FROM (SELECT 'conversation'::regclass AS t) c"
        )
    assert (updated, hot) == (1, 1)
