"""Agents, and the tokens by which they act."""

from __future__ import annotations

import pytest

from support.registry_api import Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
KIM = {"name": "Kim", "email": "kim@example.com"}


async def test_an_agent_is_made_shown_changed_and_deleted(project: Project) -> None:
    made = await project.post("/v1/agents", KIM)
    assert (made["name"], made["email"], made["bots"]) == ("Kim", "kim@example.com", [])
    bot = await project.bot()
    changed = await project.call("PATCH", f"/v1/agents/{made['id']}", {"bots": [bot]})
    assert (changed["name"], changed["bots"]) == ("Kim", [bot])
    refused = await project.call("DELETE", f"/v1/bots/{bot}", expect=409)
    assert [user["id"] for user in refused["used_by"]] == [made["id"]]
    await project.call("DELETE", f"/v1/agents/{made['id']}", expect=204)
    await project.get(f"/v1/agents/{made['id']}", expect=404)
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)


async def test_an_address_is_one_agents(project: Project) -> None:
    await project.post("/v1/agents", KIM)
    refused = await project.post("/v1/agents", KIM | {"email": "Kim@Example.com"}, expect=409)
    assert refused["type"].endswith("/name-taken")


@pytest.mark.parametrize("wrong", [{"email": "kim"}, {"name": ""}, {"bots": ["nobody"]}])
async def test_a_wrong_agent_is_refused(project: Project, wrong: dict[str, object]) -> None:
    assert (await project.post("/v1/agents", KIM | wrong, expect=422))["errors"]


async def test_an_agents_token_acts_as_the_agent_and_ends_with_it(project: Project) -> None:
    agent = await project.post("/v1/agents", KIM)
    made = await project.post(f"/v1/agents/{agent['id']}/tokens")
    assert (made["name"], made["scopes"], made["agent_id"]) == ("Kim", ["agents:chat"], agent["id"])
    answer = await project.registry.as_token(made["token"]).get("/v1/bots")
    assert (answer.status_code, answer.json()["scope"]) == (403, "admin")
    listed = await project.get(f"/v1/tokens?agent={agent['id']}")
    assert [each["id"] for each in listed["items"]] == [made["id"]]
    rotated = await project.post(f"/v1/tokens/{made['id']}/rotate")
    assert rotated["agent_id"] == agent["id"]
    await project.call("DELETE", f"/v1/agents/{agent['id']}", expect=204)
    await project.get(f"/v1/tokens/{rotated['id']}", expect=404)


async def test_another_projects_agent_is_not_there(registry: RegistryUnderTest, project: Project) -> None:
    other = await new_project(registry)
    agent = await other.post("/v1/agents", KIM)
    await project.post(f"/v1/agents/{agent['id']}/tokens", expect=404)
    await project.post("/v1/agents", KIM)


async def test_a_token_that_may_write_data_makes_agents_and_no_tokens_of_theirs(project: Project) -> None:
    token = (await project.post("/v1/tokens", {"name": "crm", "scopes": ["data:write"]}))["token"]
    crm = project.registry.as_token(token)
    agent = await crm.post("/v1/agents", json=KIM)
    assert (agent.status_code, agent.json()["name"]) == (201, "Kim")
    refused = await crm.post(f"/v1/agents/{agent.json()['id']}/tokens")
    assert (refused.status_code, refused.json()["scope"]) == (403, "admin")
