"""POST /v1/contacts and PATCH /v1/contacts/{contact}: a record on inbound, the engine's word, and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from contracts.registry import Bot
from support.data_api import KafkaOfWorld, data_api, token
from support.engine_world import BOT, PROJECT, EngineWorld

ANNA = {"name": "Anna", "email": "anna@example.com", "variables": {"points": 3}, "tags": ["vip"], "flags": ["paid"]}


@pytest.fixture
def played(world: EngineWorld) -> KafkaOfWorld:
    return KafkaOfWorld(world)


@pytest.fixture
async def http(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], played: KafkaOfWorld
) -> AsyncIterator[httpx.AsyncClient]:
    async with data_api(world, pool, played) as client:
        yield client


async def made(http: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    answer = await http.post("/v1/contacts", json=fields)
    assert answer.status_code == 201, answer.text
    return answer


async def test_a_contact_is_made_shown_and_found(http: httpx.AsyncClient) -> None:
    answer = await made(http, **ANNA)
    anna = answer.json()
    assert anna.items() >= ANNA.items()
    assert (anna["channels"], anna["last_seen_at"], anna["city"]) == ([], None, None)
    shown = await http.get(answer.headers["location"])
    assert (shown.json(), shown.headers["etag"]) == (anna, answer.headers["etag"])
    for query in ({"q": "anna"}, {"tag": "vip"}, {"flag": "paid"}, {"bot": BOT}):
        assert (await http.get("/v1/contacts", params=query)).json()["items"] == [anna]


async def test_a_change_names_fields_and_leaves_the_others(world: EngineWorld, http: httpx.AsyncClient) -> None:
    id = (await made(http, **ANNA)).json()["id"]
    change = {
        "email": None, "city": "Riga", "variables": {"points": None, "level": [1, {"a": None}]}, "add_tags": ["new"],
        "remove_tags": ["vip"], "remove_flags": ["paid"],
    }  # fmt: skip
    answer = await http.patch(f"/v1/contacts/{id}", json=change)
    assert answer.status_code == 200
    anna = answer.json()
    assert (anna["name"], anna["email"], anna["city"]) == ("Anna", None, "Riga")
    assert (anna["variables"], anna["tags"], anna["flags"]) == ({"level": [1, {"a": None}]}, ["new"], [])
    (updated,) = world.events("contact.updated")
    assert updated["changed"] == ["profile.city", "profile.email", "variables.points", "variables.level"]
    assert (await http.get("/v1/contacts", params={"q": "anna@"})).json()["items"] == []


async def test_who_has_seen_an_older_state_changes_nothing(http: httpx.AsyncClient) -> None:
    answer = await made(http, **ANNA)
    path, seen = answer.headers["location"], {"if-match": answer.headers["etag"]}
    first = await http.patch(path, json={"city": "Riga"}, headers=seen)
    assert (first.status_code, first.headers["etag"] != seen["if-match"]) == (200, True)
    second = await http.patch(path, json={"city": "Tartu"}, headers=seen)
    assert (second.status_code, second.json()["type"].rpartition("/")[2]) == (412, "stale")
    garbled = await http.patch(path, json={"city": "Tartu"}, headers={"if-match": "W/x"})
    assert garbled.status_code == 412
    assert second.headers["etag"] == garbled.headers["etag"] == first.headers["etag"]
    assert (await http.get(path)).json()["city"] == "Riga"
    third = await http.patch(path, json={"city": "Bonn"}, headers={"if-match": first.headers["etag"]})
    assert third.json()["city"] == "Bonn"


async def test_a_conversations_change_counts_as_a_change(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("hello?", profile={"name": "Anna"})
    (anna,) = (await http.get("/v1/contacts")).json()["items"]
    path = f"/v1/contacts/{anna['id']}"
    seen = {"if-match": (await http.get(path)).headers["etag"]}
    await world.say("hello?", profile={"name": "Ann"})
    assert (await http.patch(path, json={"name": "Annie"}, headers=seen)).status_code == 412
    assert (await http.get(path)).json()["name"] == "Ann"


async def test_the_same_key_is_the_same_write(world: EngineWorld, http: httpx.AsyncClient) -> None:
    keyed = {"idempotency-key": "order-17"}
    first = await http.post("/v1/contacts", json=ANNA, headers=keyed)
    again = await http.post("/v1/contacts", json=ANNA, headers=keyed)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await http.post("/v1/contacts", json={"name": "Ben"}, headers=keyed)
    assert (other.status_code, other.json()["type"].rpartition("/")[2]) == (422, "idempotency-key-reused")
    assert len(world.events("contact.created")) == 1


async def test_an_external_id_that_somebody_has_is_refused_and_names_whose_it_is(http: httpx.AsyncClient) -> None:
    anna = (await made(http, external_id="c-1")).json()["id"]
    ben = (await made(http, name="Ben")).json()["id"]
    made_twice = await http.post("/v1/contacts", json={"external_id": "c-1"})
    changed = await http.patch(f"/v1/contacts/{ben}", json={"external_id": "c-1"})
    for refused in (made_twice, changed):
        assert (refused.status_code, refused.json()["reason"]) == (409, anna)
    await http.patch(f"/v1/contacts/{anna}", json={"external_id": None})
    assert (await http.patch(f"/v1/contacts/{ben}", json={"external_id": "c-1"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"phone": "0170 1234567"}, "#/phone"),
        ({"email": "anna"}, "#/email"),
        ({"birthday": "1990-02-30"}, "#/birthday"),
        ({"timezone": "Riga"}, "#/timezone"),
        ({"language": "English!"}, "#/language"),
        ({"name": ""}, "#/name"),
        ({"name": 7}, "#/name"),
        ({"variables": [1]}, "#/variables"),
        ({"tags": ["x" * 257]}, "#/tags/0"),
        ({"id": "mine"}, "#/id"),
    ],
)
async def test_a_field_of_another_type_is_refused_by_name(
    http: httpx.AsyncClient, body: dict[str, Any], pointer: str
) -> None:
    answer = await http.post("/v1/contacts", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_contact_that_would_be_too_large_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/contacts", json={"variables": {"much": "x" * 70_000}})
    assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (413, "too-large")


async def test_another_projects_contacts_cannot_be_changed_and_are_not_told_from_nobodys(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    world.view.put(Bot(id="theirs", project_id="project-2", name="Theirs"))
    anna = (await made(http, external_id="c-1", name="Anna")).json()
    foreign = token(world, "foreign", "data:read", "data:write", project="project-2")
    answers = [
        await http.patch(f"/v1/contacts/{id}", json={"name": "?"}, headers=foreign) for id in (anna["id"], uuid4())
    ]
    assert [one.status_code for one in answers] == [404, 404]
    assert answers[0].json() == answers[1].json()
    assert (await http.post("/v1/contacts", json={"bot": BOT}, headers=foreign)).status_code == 404
    own = await http.post("/v1/contacts", json={"external_id": "c-1"}, headers=foreign)
    assert (own.status_code, own.json()["bot_id"]) == (201, "theirs")
    reader = token(world, "reader", "data:read")
    assert (await http.patch(f"/v1/contacts/{anna['id']}", json={}, headers=reader)).status_code == 403
    assert (await http.get(f"/v1/contacts/{anna['id']}")).json() == anna


async def test_what_kafka_does_not_take_is_unknown_and_what_nobody_has_judged_yet_is_accepted(
    world: EngineWorld, http: httpx.AsyncClient, played: KafkaOfWorld
) -> None:
    played.is_down = True
    assert (await http.post("/v1/contacts", json=ANNA)).status_code == 503
    played.is_down, played.is_slow = False, True
    slow = await http.post("/v1/contacts", json=ANNA, headers={"idempotency-key": "1"})
    patient = await http.post("/v1/contacts", json={"name": "Ben"}, headers={"prefer": "respond-async"})
    assert [one.status_code for one in (slow, patient)] == [202, 202]
    await world.settle()
    events = [(await http.get(one.headers["location"])).json() for one in (slow, patient)]
    assert [one["status"] for one in events] == ["completed", "completed"]
    names = [(await http.get(f"/v1/contacts/{one['contact_id']}")).json()["name"] for one in events]
    assert names == ["Anna", "Ben"]
    played.ready = False
    assert (await http.post("/v1/contacts", json=ANNA)).status_code == 503


async def test_two_programs_at_once_change_what_they_name_and_undo_nothing(http: httpx.AsyncClient) -> None:
    path = (await made(http, **ANNA)).headers["location"]
    changes = [{"city": "Riga"}, {"variables": {"points": 4}}, {"add_tags": ["new"]}, {"variables": {"level": 2}}]
    for answer in await asyncio.gather(*(http.patch(path, json=one) for one in changes)):
        assert answer.status_code == 200
    anna = (await http.get(path)).json()
    assert (anna["city"], anna["variables"], anna["tags"]) == ("Riga", {"points": 4, "level": 2}, ["vip", "new"])


async def test_two_contacts_are_made_one(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("hello?", profile={"name": "Anna"})
    (anna,) = (await http.get("/v1/contacts")).json()["items"]
    ann = (await made(http, name="Ann", external_id="c-1")).json()
    answer = await http.post(f"/v1/contacts/{ann['id']}/merge", json={"contact": anna["id"]})
    assert answer.status_code == 200
    assert (answer.json()["name"], answer.json()["channels"]) == ("Ann", anna["channels"])
    assert (await http.get("/v1/contacts")).json()["items"] == [answer.json()]
    assert (await http.get(f"/v1/contacts/{anna['id']}")).json() == answer.json()
    assert (await http.post(f"/v1/contacts/{ann['id']}/merge", json={"contact": "x"})).status_code == 422
    world.view.put(Bot(id="second", project_id=PROJECT, name="Second"))
    other = (await made(http, bot="second", name="Ann")).json()
    assert (await http.post(f"/v1/contacts/{ann['id']}/merge", json={"contact": other["id"]})).status_code == 404


async def test_a_contact_has_the_titles_of_webhooks_that_were_received_once(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    anna, ann = [(await made(http, name=name)).json()["id"] for name in ("Anna", "Ann")]
    for contact_id, title in ((anna, "Order paid"), (anna, "Order paid"), (ann, "Order sent"), (str(uuid4()), "?")):
        key = f"{BOT}/-/{contact_id}"
        await world.send("webhook_received", "-", channel="-", key=key, contact_id=contact_id, title=title)

    async def listed(**query: str) -> list[str]:
        found = (await http.get("/v1/contacts", params=query)).json()["items"]
        return [one["id"] for one in found]

    assert (await listed(webhook_title="Order paid"), await listed(webhook_title="Order")) == ([anna], [])
    shown = await http.get(f"/v1/contacts/{anna}")
    assert (shown.json()["webhook_titles"], shown.headers["etag"]) == (["Order paid"], '"2"')
    assert (await http.post(f"/v1/contacts/{anna}/merge", json={"contact": ann})).status_code == 200
    for title in ("Order paid", "Order sent"):
        assert await listed(webhook_title=title, q="anna") == [anna]
    await world.send("webhook_received", "-", channel="-", key=f"{BOT}/-/{ann}", contact_id=ann, title="Order lost")
    assert await listed(webhook_title="Order lost") == [anna]
    exported = (await http.get("/v1/contacts/export", params={"webhook_title": "Order lost"})).json()
    assert exported["webhook_titles"] == ["Order paid", "Order sent", "Order lost"]


async def test_events_show_the_titles_with_the_contact(world: EngineWorld, http: httpx.AsyncClient) -> None:
    await world.say("hello")
    id = world.events("message.received")[-1]["contact"]["id"]
    assert world.events("message.received")[-1]["contact"]["webhook_titles"] == []
    long = "x" * 300
    for title in ("Order paid", long):
        await world.send("webhook_received", "-", channel="-", key=f"{BOT}/-/{id}", contact_id=id, title=title)
    await world.say("hello")
    assert world.events("message.received")[-1]["contact"]["webhook_titles"] == ["Order paid", long[:256]]
    await http.patch(f"/v1/contacts/{id}", json={"name": "Anna"})
    assert world.events("contact.updated")[-1]["contact"]["webhook_titles"] == ["Order paid", long[:256]]
    found = (await http.get("/v1/contacts", params={"webhook_title": long})).json()["items"]
    assert [one["id"] for one in found] == [id]
