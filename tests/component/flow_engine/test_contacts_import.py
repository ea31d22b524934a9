"""POST /v1/contacts/import: a stream of lines, a report of each, and PostgreSQL."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import orjson
import pytest

from contracts.registry import Bot
from flow_engine.web import importing
from servicekit.kafka.records import Outgoing
from servicekit.web.requests import ClientGone
from support.data_api import KafkaOfWorld, data_api, token
from support.engine_world import BOT, EngineWorld
from support.waiting import eventually

PATH = "/v1/contacts/import"
KEY = {"idempotency-key": "file-1"}


@pytest.fixture
def played(world: EngineWorld) -> KafkaOfWorld:
    return KafkaOfWorld(world)


@pytest.fixture
async def http(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], played: KafkaOfWorld
) -> AsyncIterator[httpx.AsyncClient]:
    async with data_api(world, pool, played) as client:
        yield client


def ndjson(*lines: Any) -> bytes:
    return b"".join((line if isinstance(line, bytes) else orjson.dumps(line)) + b"\n" for line in lines)


async def sent(http: httpx.AsyncClient, *lines: Any, **headers: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """(the reports, the last line)."""
    answer = await http.post(PATH, content=ndjson(*lines), headers=headers)
    assert answer.status_code == 200, answer.text
    *reports, last = map(orjson.loads, answer.content.splitlines())
    return reports, last


async def listed(http: httpx.AsyncClient, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await http.get("/v1/contacts", params=query)).json()["items"]
    return found


async def test_a_line_makes_a_contact_or_changes_the_one_that_it_names(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    ann = {"external_id": "c-1", "name": "Ann", "email": "ann@example.com", "tags": ["vip"], "variables": {"points": 1}}
    (first, second), last = await sent(http, ann, {"name": "Ben"})
    assert (first["line"], second["line"], last) == (1, 2, {"lines": 2, "failed": 0})
    changes = {"external_id": "c-1", "city": "Riga", "email": None}, {"id": second["id"], "flags": ["paid"]}
    told, _ = await sent(http, *changes, {"external_id": "c-1", "tags": ["loyal"]})
    assert [one["id"] for one in told] == [first["id"], second["id"], first["id"]]
    (one,) = await listed(http, q="c-1")
    assert (one["name"], one["city"], one["email"], one["tags"]) == ("Ann", "Riga", None, ["vip", "loyal"])
    assert [one["id"] for one in await listed(http, flag="paid")] == [second["id"]]
    assert len(world.events("contact.created")) == 2
    assert [one["changed"] for one in world.events("contact.updated")] == [["profile.city", "profile.email"]]
    answer = await http.patch(f"/v1/contacts/{first['id']}", json={"city": "Tartu"}, headers={"if-match": '"2"'})
    assert answer.status_code == 200, answer.text


async def test_lines_of_one_file_are_applied_in_their_order(http: httpx.AsyncClient) -> None:
    lines = [{"external_id": "c-1", "variables": {"n": number}, "tags": [f"t{number}"]} for number in range(30)]
    told, _ = await sent(http, *lines)
    assert len({one["id"] for one in told}) == 1
    (one,) = await listed(http)
    assert (one["variables"], len(one["tags"])) == ({"n": 29}, 30)


async def test_a_bad_line_fails_alone(http: httpx.AsyncClient) -> None:
    nobody = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1a02"
    many = {"external_id": "c-9", "tags": [f"t{n}" for n in range(63)], "flags": ["f"]}
    told, last = await sent(
        http, b"{not json", {"name": "Ann"}, b"", {"nam": "?"}, {"id": nobody, "name": "?"}, {"phone": "0170"},
        {"name": "x" * 70_000}, {"photo": "javascript:alert(1)"}, b"[]", many, {"name": "Ben"},
    )  # fmt: skip
    types = {one["line"]: one.get("problem", {}).get("type") for one in told}
    assert types == {
        1: "not-json", 2: None, 4: "invalid", 5: "contact-not-found", 6: "invalid", 7: "too-large", 8: "invalid",
        9: "invalid", 10: "too-large", 11: None,
    }  # fmt: skip
    assert last == {"lines": 10, "failed": 8}
    assert {one["name"] for one in await listed(http)} == {"Ann", "Ben"}


async def test_the_same_file_under_the_same_key_makes_nothing_twice(
    world: EngineWorld, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Any] = [
        *({"name": f"Person {number}"} for number in range(20)),
        {"phone": "0170"},
        {"email": "a@b.example"},
    ]
    first, _ = await sent(http, *lines[:12], **KEY)
    monkeypatch.setattr(importing, "LINES", 7)
    again, last = await sent(http, *lines, **KEY)
    assert [one["id"] for one in again[:12]] == [one["id"] for one in first]
    assert (last, len(world.events("contact.created"))) == ({"lines": 22, "failed": 1}, 21)
    assert len(await listed(http, limit="200")) == 21
    other, _ = await sent(http, {"name": "Somebody else"}, lines[1], **KEY)
    assert other[0]["problem"]["type"] == "idempotency-key-reused"
    assert other[1] == first[1]
    assert len(await listed(http, limit="200")) == 21


async def test_who_never_hears_of_the_engine_is_told_that_it_is_unknown(
    http: httpx.AsyncClient, played: KafkaOfWorld
) -> None:
    played.is_slow = True
    told, last = await sent(http, {"name": "Ann"}, {"name": "Ben"}, **KEY)
    assert ({one["problem"]["type"] for one in told}, last["failed"]) == ({"unavailable"}, 2)
    played.is_slow = False
    told, last = await sent(http, {"name": "Ann"}, {"name": "Ben"}, **KEY)
    assert (last["failed"], len(await listed(http))) == (0, 2)


async def test_an_external_id_of_another_contact_is_refused(http: httpx.AsyncClient) -> None:
    (ann, ben), _ = await sent(http, {"external_id": "c-1"}, {"name": "Ben"})
    told, _ = await sent(http, {"id": ben["id"], "external_id": "c-1"})
    assert (told[0]["problem"]["type"], told[0]["problem"]["reason"]) == ("contact-exists", ann["id"])


async def test_an_import_takes_a_token_that_may_write(world: EngineWorld, http: httpx.AsyncClient) -> None:
    answer = await http.post(PATH, content=b"{}\n", headers=token(world, "reader", "data:read"))
    assert answer.status_code == 403


async def test_a_file_may_be_larger_than_other_bodies(http: httpx.AsyncClient) -> None:
    told, last = await sent(http, *[{"variables": {"much": "x" * 60_000}}] * 20)
    assert (last, len({one["id"] for one in told})) == ({"lines": 20, "failed": 0}, 20)


async def test_a_body_that_cannot_be_read_to_its_end_is_told_of_at_the_end(http: httpx.AsyncClient) -> None:
    cut_off = gzip.compress(ndjson({"name": "Ann"}, {"name": "Ben"}))[:-4]
    answer = await http.post(PATH, content=cut_off, headers={"content-encoding": "gzip"})
    assert answer.status_code == 200
    *reports, last = map(orjson.loads, answer.content.splitlines())
    assert [one["line"] for one in reports] == [1, 2]
    assert ("line" in last, last["problem"]["type"]) == (False, "not-gzip")


@pytest.fixture
def laid(played: KafkaOfWorld, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of each record that an import has laid, its key; an engine that is busy answers none of them."""
    keys: list[str] = []

    async def lay(record: Outgoing) -> int:
        keys.append((record.key or b"").decode())
        return 0

    monkeypatch.setattr(importing, "LINES", 1)
    monkeypatch.setattr(played, "publish", lay)
    return keys


async def test_imports_of_a_project_have_so_many_records_on_their_way_however_many_they_are(
    world: EngineWorld, http: httpx.AsyncClient, laid: list[str]
) -> None:
    world.view.put(Bot(id="bot-2", project_id="project-2", name="Theirs"))
    theirs = token(world, "theirs", "data:write", project="project-2")
    lines = ndjson(*[{"name": "Ann"}] * 9)
    sending = [asyncio.create_task(http.post(PATH, content=lines)) for _ in range(6)]
    await eventually(lambda: len(laid) >= 4)
    sending.append(asyncio.create_task(http.post(PATH, content=lines, headers=theirs)))
    await eventually(lambda: any(key.startswith("bot-2/") for key in laid))
    assert len([key for key in laid if key.startswith(f"{BOT}/")]) == 4
    for task in sending:
        task.cancel()
    await asyncio.gather(*sending, return_exceptions=True)


async def test_an_import_ends_with_its_connection(
    http: httpx.AsyncClient, laid: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more of the body has been sent than was read."""
    answers = iter([False, True])
    monkeypatch.setattr(importing, "has_gone", lambda scope: next(answers))
    with pytest.raises(ClientGone):
        await http.post(PATH, content=ndjson(*[{"name": "Ann"}] * 3))
    assert len(laid) <= 1
