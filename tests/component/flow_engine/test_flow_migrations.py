"""/v1/flow-migrations: counted, walked and applied over PostgreSQL, record by record, without Kafka."""

from __future__ import annotations

import asyncio
import copy
import json
import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from flow_engine.batch.migrating import Migrating
from flowlang.running.migration import moved
from support.conversation_store_suite import BOT
from support.data_api import OPERATOR, token
from support.engine_flows import LECTURE
from support.engine_world import EngineWorld, flow, flow_version

CALLING: dict[str, Any] = {
    "schema": "flow/1",
    "slug": "calling",
    "name": "Calls another",
    "start": "sub",
    "triggers": [{"id": "order", "type": "command", "value": "/order", "to": "sub"}],
    "nodes": {
        "sub": {"type": "call", "flow": "lecture", "ports": {"next": "done"}},
        "done": {"type": "say", "parts": [{"text": "Old"}]},
    },
}


def changed(document: dict[str, Any], node: str, **fields: Any) -> dict[str, Any]:
    made = copy.deepcopy(document)
    made["nodes"][node] |= fields
    return made


def saying(document: dict[str, Any], node: str, text: str) -> dict[str, Any]:
    return changed(document, node, parts=[{"text": text}])


class Migrations:
    """A bot's flow migrations, walked by one engine."""

    def __init__(self, world: EngineWorld, pool: Any, http: httpx.AsyncClient) -> None:
        self.world, self.pool, self.http = world, pool, http
        self.walker = Migrating(world, pool, world.catalogue, list)

    def publish(self, document: dict[str, Any], version: int, id: str = "flow-1") -> None:
        self.world.view.put(flow_version(document, version=version, flow=id))
        self.world.view.put(flow(document["slug"], published=version, id=id))

    async def post(self, to: int, expect: int = 201, flow: str = "lecture", **fields: Any) -> dict[str, Any]:
        answer = await self.http.post("/v1/flow-migrations", json={"flow": flow, "to": to, **fields})
        assert answer.status_code == expect, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def shown(self, made: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = (await self.http.get(f"/v1/flow-migrations/{made['id']}")).json()
        return shown

    async def until_over(self, made: dict[str, Any]) -> dict[str, Any]:
        for _ in range(50):
            shown = await self.shown(made)
            if shown["state"] != "running":
                return shown
            await self.walker.look()
            await self.world.settle()
        raise AssertionError(await self.shown(made))

    async def versions(self) -> dict[str, int | None]:
        """By peer: the version in whose middle the conversation is."""
        rows = await self.pool.fetch(
            "SELECT split_part(key, '/', 3) AS peer, flow_version FROM conversation ORDER BY 1"
        )
        return {row["peer"]: row["flow_version"] for row in rows}


@pytest.fixture
def run(world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], http: httpx.AsyncClient) -> Migrations:
    return Migrations(world, pool, http)


async def test_a_dry_run_counts_what_the_real_one_then_does(run: Migrations) -> None:
    for peer in ("ann", "ben", "cleo"):
        await run.world.say("/start", peer)
    await run.world.say("2", "cleo")
    await run.world.say("/seats", "dan")
    run.publish(saying(LECTURE, "kafka", "Kafka 2."), 2)
    planned = await run.post(2, 200, dry_run=True)
    places = [{"version": 1, "node": "ask", "conversations": 2, "outcome": "moved", "reason": None}]
    counts = {"found": 2, "moved": 2, "skipped": 0, "gone": 0, "waiting": 0}
    assert planned == {
        "id": None, "flow_id": "flow-1", "to": 2, "state": "dry_run", "created_at": None, "ended_at": None,
        "counts": counts, "places": places,
    }  # fmt: skip
    assert await run.versions() == {"ann": 1, "ben": 1, "cleo": None, "dan": 1}
    done = await run.until_over(await run.post(2))
    assert (done["state"], done["counts"], done["places"]) == ("completed", counts, places)
    assert done["ended_at"]
    assert await run.versions() == {"ann": 2, "ben": 2, "cleo": None, "dan": 1}
    for peer in ("ann", "ben"):
        await run.world.say("1", peer)
        assert await run.world.said(peer) == ["Which lecture, ?", "Kafka 2."]
    assert await run.versions() == {"ann": None, "ben": None, "cleo": None, "dan": 1}


async def test_who_does_not_fit_stays_and_goes_on_in_the_old_version(run: Migrations) -> None:
    await run.world.say("/start", "ann")
    run.publish(changed(saying(LECTURE, "kafka", "Kafka 2."), "ask", input={"type": "number"}), 2)
    planned = await run.post(2, 200, dry_run=True)
    done = await run.until_over(await run.post(2))
    place = {"version": 1, "node": "ask", "conversations": 1, "outcome": "skipped", "reason": "other-answer"}
    assert (planned["places"], done["places"]) == ([place], [place])
    assert (done["counts"]["skipped"], done["counts"]["waiting"]) == (1, 0)
    await run.world.say("1", "ann")
    assert (await run.world.said("ann"))[-1] == "Kafka it is."


async def test_a_message_meanwhile_is_taken_before_by_the_old_version_or_after_by_the_new_one(run: Migrations) -> None:
    for peer in ("before", "after"):
        await run.world.say("/start", peer)
    run.publish(saying(LECTURE, "kafka", "Kafka 2."), 2)
    made = await run.post(2)
    run.world.put("message", "before", message_id="m1", text="1")
    await run.walker.look()
    run.world.put("message", "after", message_id="m2", text="1")
    await run.world.settle()
    assert (await run.world.said("before"))[-1] == "Kafka it is."
    assert (await run.world.said("after"))[-1] == "Kafka 2."
    done = await run.until_over(made)
    assert (done["counts"]["moved"], done["counts"]["gone"]) == (1, 1)


async def test_it_can_be_asked_for_again_without_harm(run: Migrations) -> None:
    await run.world.say("/start", "ann")
    run.publish(LECTURE, 2)
    made = await run.post(2)
    assert (await run.post(2))["id"] == made["id"]
    await run.walker.look()
    (record,) = run.world.waiting
    await run.world.settle()
    for _ in range(2):  # The record comes again.
        run.world.lay(record.value, (record.key or b"").decode(), list(record.headers))
        await run.world.settle()
    assert (await run.until_over(made))["counts"]["moved"] == 1
    again = await run.until_over(await run.post(2))
    assert again["id"] != made["id"]
    assert again["counts"]["found"] == 0


async def test_many_are_walked_in_steps_from_all_other_versions(
    run: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_engine.batch.migrating.MOST_SENDING", 2)
    for peer in ("ann", "ben", "cleo"):
        await run.world.say("/start", peer)
    run.publish(LECTURE, 3)
    for peer in ("dan", "eve"):
        await run.world.say("/start", peer)
    run.publish(LECTURE, 2)
    done = await run.until_over(await run.post(2))
    assert done["counts"] == {"found": 5, "moved": 5, "skipped": 0, "gone": 0, "waiting": 0}
    assert [(one["version"], one["conversations"]) for one in done["places"]] == [(1, 3), (3, 2)]
    assert set((await run.versions()).values()) == {2}


async def test_a_flow_that_waits_for_one_that_it_called_moves(run: Migrations) -> None:
    run.publish(CALLING, 1, "flow-9")
    await run.world.say("/order", "ann")
    run.publish(saying(CALLING, "done", "New"), 2, "flow-9")
    planned = await run.post(2, 200, flow="calling", dry_run=True)
    done = await run.until_over(await run.post(2, flow="calling"))
    place = {"version": 1, "node": "sub", "conversations": 1, "outcome": "moved", "reason": None}
    assert (planned["places"], done["places"]) == ([place], [place])
    await run.world.say("1", "ann")
    assert (await run.world.said("ann"))[-1] == "New"


async def test_a_dry_run_reads_conversations_that_have_called_another_flow_a_few_at_a_time(
    run: Migrations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_engine.store.flow_migrations.AT_ONCE", 1)
    others, looks = 0, []

    async def work() -> None:
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    def look(*about: Any) -> Any:
        looks.append(others)
        return moved(*about)

    monkeypatch.setattr("flow_engine.web.flow_migrations.moved", look)
    run.publish(CALLING, 1, "flow-9")
    for peer in ("ann", "ben", "cleo"):
        await run.world.say("/order", peer)
    run.publish(CALLING, 2, "flow-9")
    beside = asyncio.create_task(work())
    planned = await run.post(2, 200, flow="calling", dry_run=True)
    beside.cancel()
    assert planned["counts"]["moved"] == 3
    assert len(set(looks)) == 3


async def test_who_stays_or_is_gone_is_counted_once_when_the_record_comes_again(run: Migrations) -> None:
    for peer in ("ann", "ben"):
        await run.world.say("/start", peer)
    run.publish(changed(LECTURE, "ask", input={"type": "number"}), 2)
    made = await run.post(2)
    await run.walker.look()
    records = [*run.world.waiting]
    run.world.waiting.clear()
    await run.world.say("1", "ben")
    for record in records * 2:
        run.world.lay(record.value, (record.key or b"").decode(), list(record.headers))
        await run.world.settle()
    counts = (await run.until_over(made))["counts"]
    assert counts == {"found": 2, "moved": 0, "skipped": 1, "gone": 1, "waiting": 0}


async def test_who_has_called_another_flow_meanwhile_is_not_waited_for(run: Migrations) -> None:
    asking = changed(CALLING, "sub")
    asking["nodes"]["sure"] = {"type": "ask", "text": "Sure?", "input": {"type": "text"}, "ports": {"ok": "sub"}}
    asking["triggers"][0]["to"] = "sure"
    run.publish(asking, 1, "flow-9")
    await run.world.say("/order", "ann")
    run.publish(asking, 2, "flow-9")
    made = await run.post(2, flow="calling")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flow_engine.batch.migrating.MOST_SENDING", 1)
        await run.walker.look()  # It is found where it is asked, and more may follow.
    await run.world.settle()
    await run.world.say("Yes", "ann")
    done = await run.until_over(made)
    assert done["counts"] == {"found": 2, "moved": 1, "skipped": 0, "gone": 1, "waiting": 0}


async def test_the_operator_who_names_the_bot_need_not_name_its_project(run: Migrations) -> None:
    run.publish(LECTURE, 2)
    headers = {"authorization": f"Bearer {OPERATOR}"}
    answer = await run.http.post("/v1/flow-migrations", json={"bot": BOT, "flow": "lecture", "to": 2}, headers=headers)
    assert answer.status_code == 201, answer.text


async def test_only_to_the_published_version_and_of_the_callers_project(run: Migrations) -> None:
    run.publish(LECTURE, 2)
    refused = await run.post(1, 422)
    assert refused["errors"] == [
        {"pointer": "#/to", "detail": "version 2 of the flow is published: publish version 1 first."}
    ]
    assert (await run.post(1, 422, flow="no-such-flow"))["errors"][0]["pointer"] == "#/flow"
    made = await run.post(2)
    others = token(run.world, "others", "admin", project="project-2")
    assert (await run.http.get(f"/v1/flow-migrations/{made['id']}", headers=others)).status_code == 404
    assert (await run.http.get("/v1/flow-migrations/no-id")).status_code == 404


async def test_one_to_a_version_that_is_not_published_any_more_moves_nobody(run: Migrations) -> None:
    await run.world.say("/start", "ann")
    run.publish(LECTURE, 2)
    made = await run.post(2)
    await run.walker.look()
    run.publish(LECTURE, 3)
    await run.world.settle()
    assert (await run.versions())["ann"] == 1
    assert (await run.shown(made))["counts"]["skipped"] == 1
    assert (await run.post(3))["id"] != made["id"]
    assert (await run.shown(made))["state"] == "superseded"
    late = await run.post(3)
    run.publish(LECTURE, 4)
    await run.walker.look()
    assert (await run.shown(late))["state"] == "running"  # Its view may be behind.
    await run.pool.execute("UPDATE flow_migration SET created_at = now() - interval '2 minutes'")
    await run.walker.look()
    assert (await run.shown(late))["state"] == "superseded"


async def test_who_is_held_is_not_waited_for_for_ever(run: Migrations) -> None:
    for peer in ("ann", "ben"):
        await run.world.say("/start", peer)
    run.world.handler.turn_bugs["bug"] = KeyError("a bug")
    await run.world.send("message", "ann", id="bug", message_id="m1", text="1")
    run.publish(LECTURE, 2)
    made = await run.post(2)
    await run.walker.look()
    await run.world.settle()
    await run.walker.look()
    assert (await run.shown(made))["state"] == "running"
    await run.pool.execute("UPDATE flow_migration SET stepped_at = now() - interval '1 minute'")
    done = await run.until_over(made)
    assert (done["state"], done["counts"]["moved"], done["counts"]["waiting"]) == ("completed", 1, 1)
    run.world.handler.turn_bugs.clear()
    await run.world.send("redrive", "ann")
    assert (await run.shown(made))["counts"]["waiting"] == 0


async def test_they_are_listed_by_pages_the_newest_first_with_their_counts(run: Migrations) -> None:
    for peer in ("ann", "ben"):
        await run.world.say("/start", peer)
    run.publish(LECTURE, 2)
    run.publish(CALLING, 1, "flow-9")
    await run.post(2, 200, dry_run=True)
    done = await run.until_over(await run.post(2))
    others = await run.post(1, flow="calling")
    again = await run.post(2)
    whole = [again, others, done]
    listed = [{name: value for name, value in one.items() if name != "places"} for one in whole]

    async def page(expect: int = 200, **query: Any) -> dict[str, Any]:
        answer = await run.http.get("/v1/flow-migrations", params=query)
        assert answer.status_code == expect, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert listed[2]["counts"]["moved"] == 2
    assert await page() == {"items": listed, "next": None}
    assert await page(flow="flow-9") == {"items": [listed[1]], "next": None}
    assert await page(flow="no-such-flow") == {"items": [], "next": None}
    first = await page(limit=2)
    assert first["items"] == listed[:2]
    assert await page(limit=2, cursor=first["next"]) == {"items": listed[2:], "next": None}
    for wrong in ({"limit": 0}, {"cursor": "no cursor"}, {"cursor": "WyJubyBpZCJd"}, {"bot": BOT}):
        assert (await page(422, **wrong))["errors"][0]["pointer"] == f"query/{next(iter(wrong))}"
    theirs = token(run.world, "others", "admin", project="project-2")
    for path in ("/v1/flow-migrations", "/v1/flow-migrations?flow=flow-1"):
        assert (await run.http.get(path, headers=theirs)).json() == {"items": [], "next": None}
    reader = token(run.world, "reader", "data:read")
    assert (await run.http.get("/v1/flow-migrations", headers=reader)).status_code == 403


GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "new-version.md"


async def test_the_requests_of_the_guide_are_answered(run: Migrations) -> None:
    run.publish(LECTURE | {"slug": "reserve-lecture"}, 5)
    requests = re.findall(r"(?m)^```http\n(GET|POST) (.*)\n(.*)$", GUIDE.read_text())
    assert len(requests) == 4
    made: dict[str, Any] = {"id": None}
    for method, path, body in requests:
        sent = {"json": json.loads(body)} if body != "```" else {}
        answer = await run.http.request(method, path.format(migration=made["id"], flow="flow-1"), **sent)
        assert answer.is_success, answer.text
        made = answer.json()
    assert [one["to"] for one in made["items"]] == [5]
