"""Segments: filters over contacts, checked when they are saved."""

from __future__ import annotations

import pytest

from support.registry_api import Project, RegistryUnderTest, new_project

pytestmark = pytest.mark.asyncio(loop_scope="module")
VIP = {"name": "vip", "filter": '"vip" in contact.tags && contact.variables.points >= 10'}


async def test_a_segment_is_made_changed_and_deleted(project: Project) -> None:
    made = await project.post("/v1/segments", VIP)
    assert (made["name"], made["filter"]) == ("vip", VIP["filter"])
    problem = await project.post("/v1/segments", VIP, expect=409)
    assert "'vip'" in problem["detail"]
    path = f"/v1/segments/{made['id']}"
    changed = await project.call("PATCH", path, {"name": "rich", "filter": "contact.variables.points > 99"})
    assert (changed["name"], changed["filter"]) == ("rich", "contact.variables.points > 99")
    assert (await project.call("GET", "/v1/segments?name=rich"))["items"] == [changed]
    await project.post("/v1/segments", VIP)
    await project.call("DELETE", path, expect=204)
    await project.call("GET", path, expect=404)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('contact.city = "Riga"', "line 1:14"),
        ('contact.tags.size() > 1 &&\n contact.citty == "Riga"', "line 2:10: there is no contact.citty; the nearest"),
        ("contact.points > 3", "contact.variables.points"),
        ('user.city == "Riga"', "there is no 'user'"),
        ('contact.created_at > "2026-01-01"', "contact.created_at is a time"),
        ('in_segment("vip")', "does not ask for another segment"),
        ("contact.city == null", "!has(contact.city)"),
        ('"a" in contact.city', "contact.city is a text"),
        ("contact.tags.sorted()", "there is no function 'sorted'"),
        ("contact.tags.exists(a, contact.flags.exists(b, a == b))", "costs too much"),
        ("size(contact) > 1", "name one of its fields"),
        ("contact.city", "contact.city is a text"),
        ("3", "true or false"),
        ("now", "line 1:1: now is a time"),
        ("!has(contact.city) ||\n now", "line 2:2: now is a time"),
        ("true && " * 300 + "true", "2000"),
    ],
)
async def test_a_filter_that_can_be_none_is_refused_with_the_place(project: Project, wrong: str, said: str) -> None:
    problem = await project.post("/v1/segments", VIP | {"filter": wrong}, expect=422)
    assert said in problem["errors"][0]["detail"] if "errors" in problem else problem["detail"]
    assert problem["errors"][0]["pointer"] == "#/filter"


async def test_another_projects_segment_is_not_there(registry: RegistryUnderTest, project: Project) -> None:
    other = await new_project(registry, "Other")
    made = await project.post("/v1/segments", VIP)
    await other.call("GET", f"/v1/segments/{made['id']}", expect=404)
    await other.post("/v1/segments", VIP)


def asking(segment: str) -> dict[str, object]:
    return {
        "schema": "flow/1", "slug": "asking", "name": "Asking", "start": "ask",
        "triggers": [{"id": "hi", "type": "command", "value": "/hi", "when": f'in_segment("{segment}")', "to": "ask"}],
        "nodes": {"ask": {"type": "condition", "branches": [{"if": f'in_segment("{segment}")', "to": "end"}]}, "end": {"type": "end"}},
    }  # fmt: skip


async def test_a_segment_that_a_published_flow_asks_for_stays(project: Project) -> None:
    bot = (await project.post("/v1/bots", {"name": "Shop"}))["id"]
    made = await project.post("/v1/flows", {"bot": bot, "document": asking("vip")})
    assert {one["code"] for one in made["problems"]} == {"unknown-segment"}
    path, publish = f"/v1/flows/{made['id']}", f"/v1/flows/{made['id']}/publish"
    await project.post(publish, expect=422)
    segment = f"/v1/segments/{(await project.post('/v1/segments', VIP))['id']}"
    await project.post(publish, expect=200)
    for body in ({"name": "vips"}, {"filter": "has(contact.last_seen_at)"}):
        problem = await project.call("PATCH", segment, body, expect=409)
        assert problem["used_by"][0]["name"] == "Asking"
    await project.call("DELETE", segment, expect=409)
    await project.call("PATCH", segment, {"filter": '"gold" in contact.tags'})
    await project.call("PUT", f"{path}/draft", {"document": asking("vip") | {"triggers": []}})
    await project.call(
        "PUT", f"{path}/draft", {"document": asking("vip") | {"nodes": {"ask": {"type": "end"}}, "triggers": []}}
    )
    await project.post(publish, expect=200)
    await project.call("DELETE", segment, expect=204)


async def test_a_flow_is_told_of_a_segment_that_asks_for_what_it_does_not_know(project: Project) -> None:
    await project.post("/v1/segments", VIP | {"filter": "contact.last_seen_at > now - duration('24h')"})
    bot = (await project.post("/v1/bots", {"name": "Shop"}))["id"]
    made = await project.post("/v1/flows", {"bot": bot, "document": asking("vip")})
    assert {one["pointer"] for one in made["problems"]} == {"#/triggers/0/when", "#/nodes/ask/branches/0/if"}
    assert "does not know" in made["problems"][0]["detail"]
