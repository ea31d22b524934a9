"""GET /v1/events/{id}."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from contracts.registry import Token, Trigger, TriggerAuth
from flow_engine.web.routes import make_app
from servicekit.credentials.tokens import generate_token
from servicekit.web.auth import Authoriser
from support.engine_world import FLOW, PROJECT, EngineWorld

OPERATOR = "operator-token-of-at-least-32-characters"


@pytest.fixture
async def http(world: EngineWorld) -> AsyncIterator[httpx.AsyncClient]:
    deps = SimpleNamespace(
        authoriser=Authoriser(world.view, SecretStr(OPERATOR)),
        store=world.store,
        trigger=lambda id: world.view.get("trigger", id),
    )
    transport = httpx.ASGITransport(make_app(deps), client=("203.0.113.7", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def token(world: EngineWorld, id: str, *scopes: str, project: str = PROJECT) -> dict[str, str]:
    """The headers of a caller with a token of these scopes."""
    text, _, sha256 = generate_token()
    world.view.put(
        Token.model_validate({"id": id, "project_id": project, "name": id, "sha256": sha256, "scopes": scopes})
    )
    return {"authorization": f"Bearer {text}"}


async def test_an_event_is_shown_to_who_may_read_and_to_who_caused_it(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    reader = token(world, "reader", "data:read")
    shop = token(world, "shop", "flows:execute")
    other_shop = token(world, "other-shop", "flows:execute")
    stranger = token(world, "stranger", "admin", project="project-2")
    world.view.put(
        Trigger(
            id="t1", project_id=PROJECT, bot_id="bot-1", flow_id=FLOW, entry="bought", auth=TriggerAuth(token_id="shop")
        )
    )
    await world.say("hello?")
    started = {"source": "trigger", "flow_id": FLOW, "entry": "bought", "trigger_id": "t1"}
    event = await world.send("start", variables={"order_id": "n1"}, **started)
    path = f"/v1/events/{event}"
    shown = (await http.get(path, headers=reader)).json()
    assert (shown["event_id"], shown["status"], shown["answer"]) == (event, "completed", "Paid: n1")
    assert [message["content"]["text"] for message in shown["messages"]] == ["Paid: n1"]
    assert [step["node"] for step in shown["steps"]] == ["paid"]
    assert shown["problem"] is None
    assert (await http.get(path, headers=shop)).json() == shown
    operator = {"authorization": f"Bearer {OPERATOR}"}
    assert (await http.get(path, headers=operator)).json() == shown
    refused = await http.get(path, headers=other_shop)
    assert (refused.status_code, refused.json()["scope"]) == (403, "data:read")
    assert (await http.get(path, headers=stranger)).status_code == 404
    assert (await http.get(path)).status_code == 401
    assert (await http.get("/v1/events/unheard-of", headers=reader)).status_code == 404


async def test_a_refused_event_has_its_problem(world: EngineWorld, http: httpx.AsyncClient) -> None:
    reader = token(world, "reader", "data:read")
    event = await world.send("start", source="trigger", flow_id=FLOW, entry="bought")
    path = f"/v1/events/{event}"
    shown = (await http.get(path, headers=reader)).json()
    assert (shown["status"], shown["problem"]["reason"]) == ("rejected", "has-not-talked")


async def test_what_became_of_an_event_may_be_read_with_the_token_that_sent_it(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    mine, other = token(world, "mine", "bots:converse"), token(world, "other", "bots:converse")
    event = await world.say("hello?", token_id="mine")
    assert (await http.get(f"/v1/events/{event}", headers=mine)).json()["status"] == "completed"
    assert (await http.get(f"/v1/events/{event}", headers=other)).status_code == 403
    person = {"email": "nobody@example.com"}
    refused = await world.send(
        "signal", "-", channel="-", key="bot-1/-/email:nobody@example.com", name="paid", person=person, token_id="mine"
    )
    assert (await http.get(f"/v1/events/{refused}", headers=mine)).json()["status"] == "rejected"
