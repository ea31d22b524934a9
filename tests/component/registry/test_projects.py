"""Projects, and the webhook that is their endpoint "project"."""

from __future__ import annotations

import pytest

from support.registry_api import Project, RegistryUnderTest

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOOK = "https://crm.example.com/hook"


async def test_names_may_repeat_but_slugs_do_not(registry: RegistryUnderTest) -> None:
    made = [(await registry.client.post("/v1/projects", json={"name": "My Shöp 1"})).json() for _ in range(2)]
    assert made[0]["slug"] == "my-sh-p-1"
    assert made[1]["slug"].startswith("my-sh-p-1-")


async def test_the_signing_secret_is_shown_once(registry: RegistryUnderTest) -> None:
    made = (await registry.client.post("/v1/projects", json={"name": "Signs"})).json()
    assert made["signing_secret"].startswith("whsec_")
    assert "signing_secret" not in (await registry.client.get(f"/v1/projects/{made['id']}")).json()


async def test_the_webhook_url_makes_the_endpoint_named_project(registry: RegistryUnderTest) -> None:
    made = (await registry.client.post("/v1/projects", json={"name": "Hooked", "webhook_url": HOOK})).json()
    assert made["webhook"]["secret"].startswith("whsec_")
    project = Project(registry, made["id"])
    endpoint = await project.get(f"/v1/endpoints/{made['webhook']['endpoint_id']}")
    assert (endpoint["name"], endpoint["url"]) == ("project", HOOK)
    assert set(endpoint["events"]) == {
        "profile.pushed", "agent.logged_in", "agent.logged_out", "contact.updated", "flag.assigned", "flag.removed"
    }  # fmt: skip


async def test_the_webhook_url_can_be_set_changed_and_taken_away(project: Project) -> None:
    path = f"/v1/projects/{project.id}"
    await project.call("PATCH", path, {"webhook_url": HOOK})
    await project.call("PATCH", path, {"webhook_url": HOOK + "2"})
    assert [one["url"] for one in (await project.get("/v1/endpoints?name=project"))["items"]] == [HOOK + "2"]
    await project.call("PATCH", path, {"webhook_url": None})
    assert (await project.get("/v1/endpoints"))["items"] == []


async def test_rate_limits_are_kept(project: Project) -> None:
    path = f"/v1/projects/{project.id}/rate-limits"
    limits = {"per_address": {"count": 5, "per_seconds": 60}, "exempt_cidrs": ["203.0.113.0/24"]}
    assert await project.call("PUT", path, limits) == limits
    assert await project.get(path) == limits
    await project.call("PUT", path, {"exempt_cidrs": ["nowhere"]}, expect=422)


async def test_a_project_that_holds_something_is_not_deleted(registry: RegistryUnderTest, project: Project) -> None:
    bot = await project.bot()
    problem = await project.call("DELETE", f"/v1/projects/{project.id}", expect=409)
    assert [user["id"] for user in problem["used_by"]] == [bot]
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)
    await project.call("DELETE", f"/v1/projects/{project.id}", expect=204)
