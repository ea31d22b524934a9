"""`GET /v1/conversations/counts`: what turns count, over PostgreSQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from flow_engine.errors import StaleConversation
from flow_engine.store import saving
from support.engine_flows import LECTURE
from support.engine_models_suite import MAIN, answering, asked, helping
from support.engine_world import EngineWorld, flow, flow_version

GUIDE = Path(__file__).parents[3] / "docs/how-to/drop-outs.md"


async def counts(http: httpx.AsyncClient, expect: int = 200, **query: Any) -> dict[str, Any]:
    answer = await http.get("/v1/conversations/counts", params={"flow": "lecture"} | query)
    assert answer.status_code == expect, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def by_node(shown: dict[str, Any]) -> dict[str, tuple[int, dict[str, int], int]]:
    return {one["node"]: (one["reached"], one["left"], one["waiting"]) for one in shown["nodes"]}


async def test_each_node_of_a_version_is_counted_by_port(world: EngineWorld, http: httpx.AsyncClient) -> None:
    for peer in ("ann", "ben", "cleo", "dan"):
        await world.say("/start", peer)
    await world.say("no such lecture", "ann")
    await world.say("1", "ann")
    await world.say("2", "ben")
    for _ in range(3):
        await world.say("never", "cleo")
    assert by_node(await counts(http)) == {
        "ask": (4, {"ok": 2, "invalid": 1}, 1),
        "check": (2, {"kafka": 1, "other": 1}, 0),
        "kafka": (1, {"next": 1}, 0),
        "other": (1, {"next": 1}, 0),
        "sorry": (1, {"next": 1}, 0),
    }
    world.view.put(flow_version(LECTURE, version=2), flow("lecture", published=2))
    await world.say("/start", "eve")
    assert by_node(await counts(http)) == {"ask": (1, {}, 1)}
    assert by_node(await counts(http, version=1))["ask"] == (4, {"ok": 2, "invalid": 1}, 1)


async def test_a_turn_is_counted_once_however_often_it_is_made_or_comes(
    world: EngineWorld, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its batch fails after all was written, and is made again record by record; then the records come once more."""
    save, failed = saving.save, []

    async def fails_once(*arguments: Any) -> None:
        await save(*arguments)
        if not failed:
            failed.append(True)
            raise StaleConversation("the commit has failed")

    monkeypatch.setattr(saving, "save", fails_once)
    ids = [world.put("message", peer, message_id="m", text="/start") for peer in ("ann", "ben")]
    await world.settle()
    assert failed
    for id, peer in zip(ids, ("ann", "ben"), strict=True):
        await world.send("message", peer, id=id, message_id="m", text="/start")
    assert by_node(await counts(http)) == {"ask": (2, {}, 2)}


async def test_the_partitions_of_all_engines_are_added_up(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await world.say("/start", "ann")
    await pool.execute(
        "INSERT INTO node_count SELECT flow_id, flow_version, node, port, 7, 0, 0, 0, saved_on, 5 FROM node_count"
    )
    assert by_node(await counts(http))["ask"][0] == 6
    # The release before counts in rows without a port, where it runs beside this one.
    await pool.execute("UPDATE node_count SET times = reached, reached = 0 WHERE port = ''")
    assert by_node(await counts(http))["ask"][0] == 6
    assert all("" not in node["left"] for node in (await counts(http))["nodes"])
    day = str(await pool.fetchval("SELECT min(saved_on) FROM node_count"))
    assert (await counts(http, since="2026-01-01", until="2026-01-31"))["nodes"] == [
        {"node": "ask", "reached": 0, "left": {}, "waiting": 1, "input_tokens": 0, "output_tokens": 0}
    ]
    assert by_node(await counts(http, since=day, until=day))["ask"][0] == 6


async def test_what_a_language_model_reads_and_writes_is_counted(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await helping(world, MAIN)
    for tokens in ({"input": 100, "output": 7}, {"input": 50, "output": 3}):
        await world.say("Hi", "ann")
        answer = {"text": "Hello.", "tokens": tokens}
        await world.send("call_result", "ann", **answering(asked(world), answer))
        if world.bodies("actions")[-1]["kind"] == "ask_model":
            await world.send("call_result", "ann", **answering(asked(world), answer))
    (ai,) = (await counts(http, flow="help"))["nodes"]
    assert (ai["reached"], ai["left"], ai["input_tokens"], ai["output_tokens"]) == (2, {"ok": 2}, 150, 10)


@pytest.mark.parametrize(
    "query",
    [
        {"flow": "no-such-flow"},
        {"version": "0"},
        {"version": "9" * 12},
        {"version": "x"},
        {"since": "yesterday"},
        {"since": "2026-11-22", "until": "2026-11-21"},
    ],
)
async def test_what_makes_no_sense_is_refused(http: httpx.AsyncClient, query: dict[str, Any]) -> None:
    refused = await counts(http, 422, **query)
    assert refused["errors"][0]["pointer"] == f"query/{next(iter(query))}"


async def test_the_page_that_says_how_names_all_that_is_shown(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("/start", "ann")
    calls = re.findall(r"```http\n(\w+) (.*)\n```", GUIDE.read_text())
    assert calls
    for method, written in calls:
        answer = await http.request(
            method, written.replace("reserve-lecture", "lecture").replace("version=4", "version=1")
        )
        assert answer.status_code == 200, answer.text
        for field in answer.json()["nodes"][0] if answer.json()["nodes"] else ():
            assert f"`{field}`" in GUIDE.read_text(), field
