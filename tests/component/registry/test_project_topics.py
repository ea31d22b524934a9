"""Topics of a project's own, as the registry notes them."""

from __future__ import annotations

import pytest

from support.registry_api import Project, RegistryUnderTest

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def made(registry: RegistryUnderTest, name: str) -> tuple[Project, str]:
    """A project and its slug."""
    answer = (await registry.client.post("/v1/projects", json={"name": name})).json()
    return Project(registry, answer["id"]), answer["slug"]


async def test_a_project_gets_topics_by_its_slug_and_is_told_what_to_grant(registry: RegistryUnderTest) -> None:
    project, slug = await made(registry, "Shop with topics")
    path, name = f"/v1/projects/{project.id}/kafka", f"{registry.site.topic_prefix}switchhook.project.{slug}"
    assert (await project.get(path, expect=404))["status"] == 404
    told = await project.post(path)
    assert (told["commands_topic"], told["events_topic"]) == (f"{name}.commands.v1", f"{name}.events.v1")
    assert told["groups"] == f"{name}."
    assert told["acls"] == [
        f"--allow-principal User:<user> --operation Describe --operation Write --topic {name}.commands.v1",
        f"--allow-principal User:<user> --operation Describe --operation Read --topic {name}.events.v1",
        f"--allow-principal User:<user> --operation Describe --operation Read --group {name}. --resource-pattern-type prefixed",
    ]
    version = (await project.get(f"/v1/projects/{project.id}"))["version"]
    assert await project.post(path, expect=200) == told
    assert await project.get(path) == told
    shown = await project.get(f"/v1/projects/{project.id}")
    assert (shown["own_topics"], shown["version"]) == (True, version)


async def test_they_are_no_longer_used_after_a_delete_and_a_project_that_has_some_is_not_deleted(
    registry: RegistryUnderTest,
) -> None:
    project, slug = await made(registry, "Leaves")
    path = f"/v1/projects/{project.id}/kafka"
    await project.call("DELETE", path, expect=404)
    await project.post(path)
    problem = await project.call("DELETE", f"/v1/projects/{project.id}", expect=409)
    assert problem["used_by"] == [{"kind": "kafka", "id": slug, "name": None}]
    await project.call("DELETE", path, expect=204)
    await project.get(path, expect=404)
    await project.call("DELETE", f"/v1/projects/{project.id}", expect=204)


async def test_no_other_project_gets_a_slug_that_had_topics(registry: RegistryUnderTest) -> None:
    """On Kafka its topics, and who may read them, may still be there."""
    first, slug = await made(registry, "Was here before")
    await first.post(f"/v1/projects/{first.id}/kafka")
    await first.call("DELETE", f"/v1/projects/{first.id}/kafka", expect=204)
    await first.call("DELETE", f"/v1/projects/{first.id}", expect=204)
    _, other = await made(registry, "Was here before")
    assert other != slug
    assert other.startswith(slug)


async def test_it_takes_a_token_of_the_project_with_the_scope_admin(
    registry: RegistryUnderTest, project: Project
) -> None:
    other, _ = await made(registry, "Other owner")
    path = f"/v1/projects/{project.id}/kafka"

    async def told(owner: Project, scope: str, **headers: str) -> int:
        token = (await owner.post("/v1/tokens", {"name": "t", "scopes": [scope]}))["token"]
        return (await registry.as_token(token).post(path, headers=headers)).status_code

    assert await told(project, "data:read") == 403
    assert await told(other, "admin") == 404
    assert (await registry.as_token("").post(path)).status_code == 401
    assert await told(project, "admin", **{"If-Match": '"0"'}) == 412
    assert await told(project, "admin") == 201
