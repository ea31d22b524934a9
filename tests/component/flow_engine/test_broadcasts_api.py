"""/v1/broadcasts: what is asked and shown, over PostgreSQL."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from contracts.registry import Segment
from flow_engine.batch import broadcasting
from support.broadcasts import Sender, outcomes
from support.data_api import token
from support.engine_world import PROJECT


async def test_one_that_begins_later_waits_and_may_be_cancelled_before(sender: Sender) -> None:
    await sender.says("Ann")
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    made = await sender.make(starts_at=later)
    assert not await sender.walker.look()
    assert (await sender.turn(made, "pause"))["state"] == "paused"
    assert (await sender.turn(made, "resume"))["state"] == "scheduled"
    assert (await sender.turn(made, "cancel"))["state"] == "cancelled"
    await sender.walker.look()
    assert await sender.heard("Ann") == []


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"flow": "none"}, "#/flow"),
        ({"entry": "none"}, "#/entry"),
        ({"entry": "students", "data": {}}, "#/data"),
        ({"data": {"title": "x" * 17_000}}, "#/data"),
        ({"channel_id": "none"}, "#/channel_id"),
        ({"rate": 0}, "#/rate"),
        ({"until": "2020-01-01T00:00:00Z"}, "#/until"),
        ({"quiet_hours": {"from": "22:00", "to": "22:00"}}, "#/quiet_hours"),
        ({"segment": "none"}, "#/segment"),
    ],
)
async def test_what_is_asked_wrongly_is_told(sender: Sender, wrong: dict[str, Any], pointer: str) -> None:
    problem = await sender.make(expect=422, **wrong)
    assert [one["pointer"] for one in problem["errors"]] == [pointer]


async def test_a_key_makes_one_broadcast(sender: Sender) -> None:
    body, key = {"bot": sender.bot, "flow": "news"}, {"idempotency-key": str(uuid4())}
    first, again = [await sender.http.post("/v1/broadcasts", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    other = await sender.http.post("/v1/broadcasts", json=body | {"rate": 1}, headers=key)
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (422, "idempotency-key-reused")
    made = await sender.make()
    listed = [
        one["id"] for one in (await sender.http.get("/v1/broadcasts", params={"bot": sender.bot})).json()["items"]
    ]
    assert listed == [made["id"], first.json()["id"]]
    pages, cursor = [], None
    for _ in range(2):
        params = {"bot": sender.bot, "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await sender.http.get("/v1/broadcasts", params=params)).json()
        pages, cursor = [*pages, *(one["id"] for one in page["items"])], page["next"]
    assert pages == listed


async def test_another_projects_broadcasts_are_not_there(sender: Sender) -> None:
    made = await sender.make()
    theirs = token(sender.world, "other", "admin", project="project-2")
    for method, path in (("GET", ""), ("GET", "/recipients"), ("POST", "/pause"), ("POST", "/cancel")):
        answer = await sender.http.request(method, f"/v1/broadcasts/{made['id']}{path}", headers=theirs)
        assert answer.status_code == 404
    assert (await sender.http.get("/v1/broadcasts", headers=theirs)).json()["items"] == []
    reader = token(sender.world, "reader", "data:read")
    assert (await sender.http.get("/v1/broadcasts", headers=reader)).status_code == 403


GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "broadcasts.md"


async def test_the_requests_of_the_guide_are_answered(sender: Sender) -> None:
    # The guide's project has one bot and one segment.
    sender.world.view.put(Segment(id="guide", project_id=PROJECT, name="students", filter="true"))
    await sender.says("Ann")
    requests = re.findall(r"(?m)^```http\n(GET|POST) (.*)\n(.*)$", GUIDE.read_text())
    assert len(requests) == 6
    made: dict[str, Any] = {}
    for method, path, body in requests:
        sent = {"json": json.loads(body) | {"bot": sender.bot}} if body != "```" else {}
        answer = await sender.http.request(method, path.replace("{broadcast}", made.get("id", "")), **sent)
        assert answer.is_success, answer.text
        made = made or answer.json()


async def test_who_is_merged_while_both_are_put_off_is_told_once(sender: Sender) -> None:
    for peer in ("Ann", "Ann again"):
        await sender.says(peer)
        sender.world.at_ms += 1000
    now = datetime.now(UTC)
    night = {"from": now.strftime("%H:%M"), "to": (now + timedelta(hours=2)).strftime("%H:%M")}
    made = await sender.make(quiet_hours=night)
    while (await sender.shown(made))["counts"]["waiting"] < 2:
        await sender.walker.look()
    one, other = (await sender.http.get("/v1/contacts", params={"bot": sender.bot})).json()["items"]
    answer = await sender.http.post(f"/v1/contacts/{one['id']}/merge", json={"contact": other["id"]})
    assert answer.status_code == 200, answer.text
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast SET quiet_hours = NULL WHERE id = $1", made["id"])
        await connection.execute("UPDATE broadcast_recipient SET due = now() WHERE broadcast = $1", made["id"])
    done = await sender.until(made)
    assert (outcomes(done), done["counts"]["reasons"]) == ({"started": 1, "skipped": 1}, {"skipped": {"merged": 1}})
    assert len(await sender.heard("Ann")) + len(await sender.heard("Ann again")) == 1


async def test_starts_that_kafka_has_lost_are_written_again(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcasting, "MOST_SENDING", 2)
    for peer in ("Ann", "Ben", "Cleo"):
        await sender.says(peer)
    made = await sender.make()
    await sender.begin(2)
    sender.world.waiting.clear()
    async with sender.pool.acquire() as connection:
        await connection.execute(
            "UPDATE broadcast_recipient SET at = now() - interval '1 hour' WHERE broadcast = $1", made["id"]
        )
    assert outcomes(await sender.until(made)) == {"started": 3}
    assert [len(await sender.heard(peer)) for peer in ("Ann", "Ben", "Cleo")] == [1, 1, 1]


async def test_a_broadcast_that_fails_stops_no_other(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    await sender.says("Ann")
    broken, sound = await sender.make(), await sender.make()
    async with sender.pool.acquire() as connection:
        await connection.execute("UPDATE broadcast SET filter = 'no filter (' WHERE id = $1", broken["id"])
    assert outcomes(await sender.until(sound)) == {"started": 1}
    assert (await sender.shown(broken))["state"] == "running"
