"""Who may have a conversation: an agent who is there and sees the conversations of its bot."""

from __future__ import annotations

import httpx

from contracts.registry import Agent
from support.data_api import token
from support.engine_world import PROJECT, EngineWorld

ALL = "/v1/conversations"
SOMEWHERE_ELSE = ("another-bot",)


def an_agent(world: EngineWorld, id: str, bots: tuple[str, ...] = ()) -> dict[str, str]:
    world.view.put(Agent(id=id, project_id=PROJECT, name=id, email=f"{id}@example.com", bots=bots))
    return token(world, f"t-{id}", "agents:chat", agent=id)


async def test_a_conversation_is_never_left_with_an_agent_who_does_not_see_it(
    world: EngineWorld, http: httpx.AsyncClient
) -> None:
    kim, mia, _ = an_agent(world, "kim"), an_agent(world, "mia"), an_agent(world, "ben", SOMEWHERE_ELSE)
    await world.say("hello?")
    (found,) = (await http.get(ALL, headers=kim)).json()["items"]
    one = f"{ALL}/{found['id']}"
    assert (await http.post(f"{one}/takeover", headers=mia)).status_code == 200
    refused = await http.post(f"{one}/assign", json={"agent": "ben"}, headers=mia)
    detail = "#/agent: The agent does not see the conversations of this bot."
    assert (refused.status_code, refused.json()["detail"]) == (422, detail)
    assert (await http.post(f"{one}/takeover", headers=kim)).status_code == 409
    an_agent(world, "mia", SOMEWHERE_ELSE)
    assert (await http.post(f"{one}/takeover", headers=kim)).json()["agent"]["name"] == "kim"
