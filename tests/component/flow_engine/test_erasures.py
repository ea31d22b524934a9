"""DELETE /v1/contacts/{contact}: the job, how far it is, and what PostgreSQL has of a person afterwards."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from contracts import inbound
from contracts.ids import derived_id
from contracts.topics import TOPICS
from flow_engine.errors import StaleContact
from flow_engine.state.ids import conversation_id
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.store import erasures, loading
from flow_engine.store.erasures import STORES
from flow_engine.store.port import Name
from servicekit.kafka.records import Outgoing
from support.conversation_store_suite import conversation, work_of
from support.data_api import KafkaOfWorld, data_api, token
from support.engine_database import LINK_KEY, PSEUDONYMS
from support.engine_world import BOT, EngineWorld
from support.tables_of_people import holding, of_people

GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "erase-a-person.md"


@pytest.fixture
def played(world: EngineWorld) -> KafkaOfWorld:
    return KafkaOfWorld(world)


@pytest.fixture
async def http(
    world: EngineWorld, pool: asyncpg.Pool[asyncpg.Record], played: KafkaOfWorld
) -> AsyncIterator[httpx.AsyncClient]:
    async with data_api(world, pool, played) as client:
        yield client


async def met(world: EngineWorld, http: httpx.AsyncClient, external_id: str | None = None, **more: Any) -> str:
    who: dict[str, Any] = {"external_id": external_id} if external_id else {}
    await world.say("hello?", profile={"name": "Anna", **who}, verified=list(who), **more)
    (anna,) = (await http.get("/v1/contacts", params={"q": "anna"})).json()["items"]
    return str(anna["id"])


async def test_a_person_is_erased_by_a_job_that_says_how_far_it_is(world: EngineWorld, http: httpx.AsyncClient) -> None:
    id = await met(world, http)
    answer = await http.delete(f"/v1/contacts/{id}")
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert (job["status"], job["contact_id"]) == ("running", id)
    engine, dispatcher = job["stores"]
    assert (engine["keys"], engine["erased"], dispatcher["erased"]) == (2, 2, 0)
    assert (await http.get(f"/v1/contacts/{id}")).status_code == 404
    assert (await http.get("/v1/contacts", params={"q": "anna"})).json()["items"] == []
    for action in [one for one in world.bodies("actions") if one["kind"] == "erase"]:
        _, channel, peer = action["conversation"].split("/")
        peer_id = "-" if channel == "-" else peer
        key = {"channel": channel, "key": action["conversation"]}
        await world.send("erasure_done", peer_id, erasure=action["erasure"], **key)
    shown = (await http.get(answer.headers["location"])).json()["job"]
    assert (shown["id"], shown["status"]) == (job["id"], "done")


async def test_erased_twice_it_is_the_same_job(world: EngineWorld, http: httpx.AsyncClient) -> None:
    id = await met(world, http)
    at_once = await asyncio.gather(*(http.delete(f"/v1/contacts/{id}") for _ in range(3)))
    later = await http.delete(f"/v1/contacts/{id}")
    assert {one.status_code for one in (*at_once, later)} == {202}
    assert len({one.json()["job"]["id"] for one in (*at_once, later)}) == 1
    assert len(world.events("contact.erased")) == 1


async def test_who_is_merged_while_the_erasure_is_on_its_way_is_erased_as_the_one_that_is_left(
    world: EngineWorld, http: httpx.AsyncClient, played: KafkaOfWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, other = [
        (await http.post("/v1/contacts", json={"external_id": uuid4().hex, "city": city})).json()["id"]
        for city in ("Riga", "Tartu")
    ]
    publish = played.publish

    async def merge_before(record: Outgoing) -> int:
        monkeypatch.setattr(played, "publish", publish)
        assert (await http.post(f"/v1/contacts/{left}/merge", json={"contact": other})).status_code == 200
        return await publish(record)

    monkeypatch.setattr(played, "publish", merge_before)
    job = (await http.delete(f"/v1/contacts/{other}")).json()["job"]
    assert (job["contact_id"], job["status"]) == (left, "running")
    assert [(await http.get(f"/v1/contacts/{id}")).status_code for id in (left, other)] == [404, 404]


async def test_asked_again_what_was_lost_of_an_erasure_is_done(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """The record of a conversation is lost here, and the dispatcher has heard of nothing."""
    id = await met(world, http)
    await http.delete(f"/v1/contacts/{id}")
    await world.say("hello?", peer="p9")
    await pool.execute("UPDATE conversation SET contact_id = $1", id)
    answer = await http.delete(f"/v1/contacts/{id}")
    assert (answer.status_code, answer.json()["job"]["status"]) == (202, "running")
    assert await pool.fetchval("SELECT count(*) FROM conversation") == 0
    (told,) = [one for one in world.bodies("actions") if one["kind"] == "erase" and one.get("again")]
    assert (told["contact_ids"], told["conversation"]) == ([id], f"{BOT}/-/{id}")
    await world.send("erasure_done", "-", channel="-", key=told["conversation"], erasure=told["erasure"], again=True)
    assert (await http.get(answer.headers["location"])).json()["job"]["status"] == "done"


async def test_an_erasure_that_a_merge_overtakes_ends_as_that_of_who_is_left(
    world: EngineWorld, http: httpx.AsyncClient, played: KafkaOfWorld, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    left, other = [(await http.post("/v1/contacts", json={"city": city})).json()["id"] for city in ("Riga", "Tartu")]
    world.put("contact_update", "-", channel="-", key=f"{BOT}/-/{left}", merge=other)
    asked = await http.delete(f"/v1/contacts/{other}", headers={"prefer": "respond-async"})
    assert asked.status_code == 202
    job = (await http.get(asked.headers["location"])).json()["job"]
    assert (job["contact_id"], job["status"]) == (left, "running")
    oldest = await world.store.oldest_erasure()
    assert oldest is not None
    assert oldest.id == job["id"]
    for key in [one["conversation"] for one in world.bodies("actions") if one["kind"] == "erase"]:
        await world.send("erasure_done", "-", channel="-", key=key, erasure=job["id"])
    assert (await http.get(asked.headers["location"])).json()["job"]["status"] == "done"
    assert await world.store.oldest_erasure() is None


async def test_what_remains_is_named_with_its_end(world: EngineWorld, http: httpx.AsyncClient) -> None:
    job = (await http.delete(f"/v1/contacts/{await met(world, http)}")).json()["job"]
    remains = {one["where"]: one["until"] for one in job["remains"]}
    nobody = {"switchhook.registry.v1", "switchhook.sessions.v1"}
    assert remains.keys() == {topic.name for topic in TOPICS} - nobody | {"backups", "registry"}
    assert remains["backups"] is None
    assert job["asked_at"] < remains[inbound.TOPIC.name] < remains["switchhook.flow-engine.dlq.v1"]


async def test_the_requests_of_the_guide_are_answered(world: EngineWorld, http: httpx.AsyncClient) -> None:
    requests = re.findall(r"(?m)^```http\n(GET|DELETE) (.*)$", GUIDE.read_text())
    assert len(requests) == 2
    known = {"{contact}": await met(world, http)}
    for method, path in requests:
        answer = await http.request(method, re.sub(r"\{\w+\}", lambda name: known[name[0]], path))
        assert answer.is_success, answer.text
        known["{erasure}"] = answer.json()["job"]["id"]


async def test_another_projects_person_is_nobody(world: EngineWorld, http: httpx.AsyncClient) -> None:
    id = await met(world, http)
    stranger = token(world, "stranger", "data:read", "data:write", project="project-2")
    assert (await http.delete(f"/v1/contacts/{id}", headers=stranger)).status_code == 404
    reader = token(world, "reader", "data:read")
    assert (await http.delete(f"/v1/contacts/{id}", headers=reader)).status_code == 403
    job = (await http.delete(f"/v1/contacts/{id}")).json()["job"]["id"]
    for path in (f"/v1/contacts/erasures/{job}", f"/v1/contacts/erasures/{uuid4()}", "/v1/contacts/erasures/x"):
        assert (await http.get(path, headers=stranger)).status_code == 404
    assert (await http.delete(f"/v1/contacts/{id}", headers=stranger)).status_code == 404


async def test_a_conversation_that_takes_a_contact_which_is_erased_meanwhile_is_judged_again(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    id = await met(world, http)
    adopting = work_of(conversation("9", contact=id))
    adopting.adopted.add(id)
    await http.delete(f"/v1/contacts/{id}")
    with pytest.raises(StaleContact):
        async with world.transaction() as connection:
            await world.store.save(adopting, connection)


async def test_what_was_found_of_a_person_since_it_was_read_is_not_left(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Between the read and the save another conversation turned out to be the person's."""
    id = await met(world, http)
    world.put(
        "erase", "-", channel="-", key=f"{BOT}/-/{id}", erasure=derived_id("erasure", id), contact_ids=[id], begins=True
    )
    commit = await world.compute()
    await pool.execute(
        "INSERT INTO conversation (id, key, version, state, seen, contact_id) SELECT $3, $1, 1, state, '', contact_id"
        " FROM conversation WHERE contact_id = $2", f"{BOT}/web-1/p9", id, conversation_id(f"{BOT}/web-1/p9"),
    )  # fmt: skip
    with pytest.raises(StaleContact):
        async with world.transaction() as connection:
            await commit.save(connection)
    await world.settle()
    assert await pool.fetchval("SELECT count(*) FROM conversation WHERE contact_id = $1", id) == 0


async def test_what_is_kept_of_a_key_names_nobody(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    await http.delete(f"/v1/contacts/{await met(world, http, peer='peer-of-anna')}")
    kept = {row["pseudonym"] for row in await pool.fetch("SELECT pseudonym FROM erased")}
    assert PSEUDONYMS.of(f"{BOT}/web-1/peer-of-anna") in kept
    assert await holding(pool, "flow_engine", "peer-of-anna") == set()


async def test_a_former_link_key_still_knows_who_was_erased(
    world: EngineWorld, http: httpx.AsyncClient, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    name = Name(BOT, "external_id", "c-7")
    await http.delete(f"/v1/contacts/{await met(world, http, external_id=name.value, peer='p7')}")
    for link_key, is_known in ((f"{'n' * 32},{LINK_KEY}", True), ("n" * 32, False)):
        pseudonyms = Pseudonyms(SecretStr(link_key))
        async with pool.acquire() as connection:
            found = await loading.load(connection, [key := f"{BOT}/web-1/p7"], pseudonyms)
            assert (found[key].erased is not None) == is_known
            assert (name in await erasures.names(connection, [name], pseudonyms)) == is_known


async def test_every_table_that_knows_people_says_how_they_are_erased(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """A table with a contact, a conversation or a key of one: it belongs into STORES, with its statement."""
    assert await of_people(pool, "flow_engine") == STORES.keys()
