"""The operator's routes about held conversations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from flow_engine.state.ids import conversation_id
from flow_engine.web.routes import make_app
from servicekit.kafka.records import Outgoing
from servicekit.web.auth import Authoriser
from support.engine_conversation_suite import KEY
from support.engine_world import BOT, PROJECT, WEB, EngineWorld
from support.ingress_fakes import FakePublisher

OPERATOR = "operator-token-of-at-least-32-characters"
HELD = f"/v1/held/{conversation_id(KEY)}"


@pytest.fixture
def publisher(world: EngineWorld) -> FakePublisher:
    def lay(record: Outgoing) -> None:
        world.lay(record.value, (record.key or b"").decode(), list(record.headers))

    made = FakePublisher()
    made.on_record = lay
    return made


@pytest.fixture
async def http(world: EngineWorld, publisher: FakePublisher) -> AsyncIterator[httpx.AsyncClient]:
    deps = SimpleNamespace(
        authoriser=Authoriser(world.view, SecretStr(OPERATOR)),
        store=world.store,
        trigger=lambda id: None,
        publisher=publisher,
        project_of={BOT: PROJECT}.get,
    )
    transport = httpx.ASGITransport(make_app(deps), client=("203.0.113.7", 1))
    headers = {"authorization": f"Bearer {OPERATOR}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@pytest.fixture
async def held(world: EngineWorld) -> EngineWorld:
    """p1 is held: an event failed, and two wait behind it."""
    world.handler.bugs[b"bad"] = KeyError("a bug")
    world.put("message", message_id="1", text="what?", id="bad")
    for number in (2, 3):
        world.put("message", message_id=str(number), text="hello?", id=f"later-{number}")
    await world.settle()
    world.handler.bugs.clear()
    return world


async def test_a_held_conversation_is_listed_and_shown(held: EngineWorld, http: httpx.AsyncClient) -> None:
    (listed,) = (await http.get("/v1/held")).json()["items"]
    told = {"conversation": conversation_id(KEY), "project_id": PROJECT, "bot_id": BOT, "channel_id": WEB,
            "peer_id": "p1", "events": 3, "error": "KeyError: 'a bug'"}  # fmt: skip
    assert {name: listed[name] for name in told} == told
    shown = (await http.get(HELD)).json()
    assert [(one["kind"], one["event_id"], one["error"]) for one in shown["items"]] == [
        ("message", "bad", "KeyError: 'a bug'"), ("message", "later-2", None), ("message", "later-3", None),
    ]  # fmt: skip
    assert '"what?"' in shown["items"][0]["value"]
    first = (await http.get(HELD, params={"limit": 2})).json()
    rest = (await http.get(HELD, params={"limit": 2, "cursor": first["next"]})).json()
    assert ([one["event_id"] for one in rest["items"]], rest["next"]) == (["later-3"], None)


async def test_released_everything_is_applied_in_order(held: EngineWorld, http: httpx.AsyncClient) -> None:
    answer = await http.post(f"{HELD}/release")
    assert (answer.status_code, answer.json()["events"]) == (202, 3)
    await held.settle()
    assert (await held.held(), await held.said()) == (0, ["Sorry.", "Sorry.", "Sorry."])
    assert (await http.get(HELD)).status_code == 404


async def test_what_is_discarded_is_forgotten_and_the_rest_waits(held: EngineWorld, http: httpx.AsyncClient) -> None:
    position = (await http.get(HELD)).json()["items"][0]["position"]
    assert (await http.post(f"{HELD}/discard", json={"positions": [position]})).json() == {"discarded": 1}
    assert await held.held() == 2
    assert (await http.post(f"{HELD}/discard", json={"positions": "all"})).json() == {"discarded": 2}
    await held.say("hello?")
    assert await held.said() == ["Sorry."]


@pytest.mark.parametrize("every", [False, True], ids=["all", "each of them"])
async def test_an_event_that_was_read_before_all_were_discarded_does_not_wait_for_ever(
    held: EngineWorld, http: httpx.AsyncClient, every: bool
) -> None:
    """Its batch found the conversation held, and lets it wait behind what is gone by then."""
    positions = [one["position"] for one in (await http.get(HELD)).json()["items"]] if every else "all"
    held.put("message", message_id="4", text="and now?", id="meanwhile")
    loaded = await held.compute()
    held.waiting.clear()
    assert (await http.post(f"{HELD}/discard", json={"positions": positions})).json() == {"discarded": 3}
    async with held.transaction() as connection:
        await loaded.save(connection)
    assert await held.held() == 1
    await held.settle()
    assert (await held.held(), await held.said()) == (0, ["Sorry."])


@pytest.mark.parametrize("body", [{}, {"positions": "some"}, {"positions": [-1]}, {"positions": [2**63]}, {"all": 1}])
async def test_what_is_to_be_discarded_has_to_be_said(
    held: EngineWorld, http: httpx.AsyncClient, body: dict[str, object]
) -> None:
    answer = await http.post(f"{HELD}/discard", json=body)
    assert (answer.status_code, await held.held()) == (422, 3)


async def test_a_release_that_kafka_does_not_take_is_503(
    held: EngineWorld, http: httpx.AsyncClient, publisher: FakePublisher
) -> None:
    publisher.down = True
    assert (await http.post(f"{HELD}/release")).status_code == 503
    assert await held.held() == 3


@pytest.mark.parametrize("id", ["nonsense", conversation_id("b/c/nobody")])
async def test_what_is_not_held_is_404(http: httpx.AsyncClient, id: str) -> None:
    answers = [await http.get(f"/v1/held/{id}"), await http.post(f"/v1/held/{id}/release")]
    assert [answer.status_code for answer in answers] == [404, 404]
