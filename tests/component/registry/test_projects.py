"""Projects, and the webhook that is their endpoint "project"."""

from __future__ import annotations

import pytest

from contracts.registry import Project as ProjectEntity
from registry.store import postgres_entities
from registry.values.endpoint_secrets import retire_due
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
        "profile.pushed", "agent.logged_in", "agent.logged_out", "agent.notified", "contact.updated", "flag.assigned",
        "flag.removed",
    }  # fmt: skip


async def test_the_webhook_url_can_be_set_changed_and_taken_away(project: Project) -> None:
    path = f"/v1/projects/{project.id}"
    await project.call("PATCH", path, {"webhook_url": HOOK})
    await project.call("PATCH", path, {"webhook_url": HOOK + "2"})
    assert [one["url"] for one in (await project.get("/v1/endpoints?name=project"))["items"]] == [HOOK + "2"]
    await project.call("PATCH", path, {"webhook_url": None})
    assert (await project.get("/v1/endpoints"))["items"] == []


async def test_the_webhook_url_and_the_end_of_the_signing_secret_can_be_read_back(registry: RegistryUnderTest) -> None:
    made = (
        await registry.client.post("/v1/projects", json={"name": "Read", "webhook_url": HOOK + "?key=s3cret"})
    ).json()
    project = Project(registry, made["id"])
    shown = await project.get(f"/v1/projects/{project.id}")
    assert shown["webhook_url"] == HOOK + "?key=[hidden]"
    assert shown["signing_secret_hint"] == "whsec_…" + made["signing_secret"][-4:]
    listed = next(one for one in (await project.get("/v1/projects?limit=200"))["items"] if one["id"] == project.id)
    assert listed["webhook_url"] == shown["webhook_url"]
    await project.call("PATCH", f"/v1/projects/{project.id}", {"webhook_url": None})
    assert "webhook_url" not in await project.get(f"/v1/projects/{project.id}")


async def test_the_signing_secret_is_replaced_and_all_older_ones_sign_until_the_overlap_is_over(
    registry: RegistryUnderTest,
) -> None:
    made = (await registry.client.post("/v1/projects", json={"name": "Rotates"})).json()
    project = Project(registry, made["id"])
    path = f"/v1/projects/{project.id}"
    secrets = [made["signing_secret"]]
    for _ in range(2):
        secrets.insert(0, (await project.post(f"{path}/rotate-secret", expect=200))["signing_secret"])
    assert await _signs_with(registry, project.id) == secrets
    assert (await project.get(path))["signing_secret_hint"].endswith(secrets[0][-4:])
    async with registry.database.pool.acquire() as connection:
        await connection.execute(
            """UPDATE entity SET extra = extra || '{"retire_secret_at": "2020-01-01T00:00:00.000Z",
                   "secret_ends": ["2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"]}' WHERE id = $1""",
            project.id,
        )
        await retire_due(connection)
    assert await _signs_with(registry, project.id) == secrets[:1]
    last = (await project.post(f"{path}/rotate-secret", {"overlap_seconds": 0}, expect=200))["signing_secret"]
    assert await _signs_with(registry, project.id) == [last]


async def _signs_with(registry: RegistryUnderTest, id: str) -> list[str]:
    """The secrets of a project, the newest first, as the dispatcher opens them."""
    async with registry.database.pool.acquire() as connection:
        stored = await postgres_entities.find(connection, ProjectEntity, id)
    assert stored is not None
    sealed = (stored.entity.signing_secret, *stored.entity.older_secrets)
    return [registry.site.open(one, of=stored.entity, field="signing_secret") for one in sealed]


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
