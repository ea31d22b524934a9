"""A new kind of entity is a model, a Resource and its rows: all else follows, on a real Kafka and PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from contracts.registry import ENTITY_MODELS, TOPIC
from contracts.routes import ROUTES
from extend.entity import notes
from extend.entity.notes import Note
from registry.resources.kinds import RESOURCES
from servicekit.kafka.cluster import Cluster
from servicekit.migrate import migrate_async
from servicekit.registry_view.view import RegistryView
from support.registry_api import Project, RegistryUnderTest, new_project, running_registry
from support.topics import create_topic
from support.waiting import eventually


@pytest.fixture
async def registry(
    cluster: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RegistryUnderTest]:
    monkeypatch.setitem(ENTITY_MODELS, Note.KIND, Note)
    await migrate_async("registry", database)
    await create_topic(cluster.servers, cluster.named(TOPIC.name), config={"cleanup.policy": "compact"})
    parts = {"resources": (*RESOURCES, notes.RESOURCE), "table": (*ROUTES, *notes.ROWS)}
    async with running_registry(cluster, database, **parts) as replica:
        yield replica


@pytest.fixture
async def project(registry: RegistryUnderTest) -> Project:
    return await new_project(registry)


@pytest.fixture
async def view(registry: RegistryUnderTest, cluster: Cluster) -> AsyncIterator[RegistryView]:
    """As another service sees the registry."""
    view = RegistryView(cluster)
    await view.start()
    yield view
    await view.stop()


async def test_it_is_made_shown_listed_changed_and_deleted(project: Project) -> None:
    bot = await project.bot()
    made = await project.post("/v1/notes", {"bot": bot, "name": "colour", "text": "blue"})
    assert (made["text"], made["version"]) == ("blue", 1)
    changed = await project.call("PATCH", f"/v1/notes/{made['id']}", {"text": "red"})
    assert (changed["name"], changed["text"], changed["version"]) == ("colour", "red", 2)
    assert (await project.get(f"/v1/notes?bot={bot}"))["items"] == [changed]
    assert (await project.get("/v1/notes?bot=other"))["items"] == []
    await project.call("DELETE", f"/v1/notes/{made['id']}", expect=204)
    await project.get(f"/v1/notes/{made['id']}", expect=404)


async def test_its_name_is_its_own_and_what_it_uses_stays(project: Project) -> None:
    bot = await project.bot()
    note = await project.post("/v1/notes", {"bot": bot, "name": "colour"})
    taken = await project.post("/v1/notes", {"bot": bot, "name": "colour"}, expect=409)
    assert taken["type"].endswith("/name-taken")
    used = await project.call("DELETE", f"/v1/bots/{bot}", expect=409)
    assert used["used_by"] == [{"kind": "note", "id": note["id"], "name": "colour"}]
    await project.call("DELETE", f"/v1/notes/{note['id']}", expect=204)
    await project.call("DELETE", f"/v1/bots/{bot}", expect=204)


async def test_other_services_see_it_and_see_it_go(project: Project, view: RegistryView) -> None:
    bot = await project.bot()
    note = await project.post("/v1/notes", {"bot": bot, "name": "colour", "text": "blue"})
    await eventually(lambda: view.ready and view.get("note", note["id"]) is not None)
    assert view.find("note", "bot_id", bot) == Note(
        id=note["id"], project_id=project.id, bot_id=bot, name="colour", text="blue"
    )
    await project.call("DELETE", f"/v1/notes/{note['id']}", expect=204)
    await eventually(lambda: view.deleted("note", note["id"]))


async def test_its_routes_are_in_the_registrys_document(registry: RegistryUnderTest) -> None:
    paths = (await registry.client.get("/openapi/registry.json")).json()["paths"]
    assert {"/v1/notes", "/v1/notes/{id}"} <= paths.keys()
