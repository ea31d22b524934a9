"""A project has so much and no more; the refusal names the limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from contracts.registry import Token
from registry.settings import ProjectLimits
from registry.store import postgres_entities
from registry.writing.unit import Unit
from servicekit.kafka.cluster import Cluster
from servicekit.web.problems import ProblemError
from support.registry_api import Project, RegistryUnderTest, new_project, running_registry

pytestmark = pytest.mark.asyncio(loop_scope="module")
STORED_BYTES = 40_000
COUNTS = {"endpoint": 4, "channel": 1, "flow": 1, "flow_version": 2, "token": 2}
ENDPOINT = {"url": "https://crm.example.com/hook", "events": ["message.received"]}
FLOW = {
    "schema": "flow/1", "slug": "hi", "name": "Hi", "start": "hi",
    "nodes": {"hi": {"type": "say", "parts": [{"text": "Hi"}]}},
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def registry(registry_database: str, registry_cluster: Cluster) -> AsyncIterator[RegistryUnderTest]:
    limits = ProjectLimits(COUNTS, 2, STORED_BYTES)
    async with running_registry(registry_cluster, registry_database, limits=limits) as replica:
        yield replica


async def bot(project: Project) -> str:
    return str((await project.post("/v1/bots", {"name": "b"}))["id"])


async def endpoint(project: Project, number: int) -> Any:
    event = ("message.received", "message.sent", "flow.completed")[number // 2]
    return await project.send("POST", "/v1/endpoints", ENDPOINT | {"events": [event]})


async def channel(project: Project, number: int) -> Any:
    return await project.send(
        "POST", "/v1/channels", {"bot": await bot(project), "type": "webchat", "name": f"c{number}"}
    )


async def flow(project: Project, number: int) -> Any:
    return await project.send("POST", "/v1/flows", {"bot": await bot(project), "document": FLOW})


async def token(project: Project, number: int) -> Any:
    return await project.send("POST", "/v1/tokens", {"name": f"t{number}", "scopes": ["flows:execute"]})


@pytest.mark.parametrize(
    ("make", "kind"), [(endpoint, "endpoint"), (channel, "channel"), (flow, "flow"), (token, "token")],
    ids=["endpoints", "channels", "flows", "tokens"],
)  # fmt: skip
async def test_one_more_than_there_may_be_is_refused(
    project: Project, make: Callable[[Project, int], Awaitable[Any]], kind: str
) -> None:
    most = COUNTS[kind]
    answers = [await make(project, number) for number in range(most + 1)]
    assert [each.status_code for each in answers] == [201] * most + [409], answers[-1].text
    problem = answers[-1].json()
    setting = f"SWITCHHOOK_{kind.upper()}S_PER_PROJECT"
    assert (problem["type"].rpartition("/")[2], problem["limit"], problem["most"]) == ("limit-reached", setting, most)
    assert setting in problem["detail"]


async def test_writes_at_once_pass_no_limit_together(registry: RegistryUnderTest, project: Project) -> None:
    made = (await token(project, 0)).json()
    known: Token = (await postgres_entities.find(registry.database.pool, Token, made["id"])).entity  # type: ignore

    async def add(id: str, before_commit: asyncio.Event) -> None:
        async with registry.database.pool.acquire() as connection, connection.transaction():
            unit = Unit(connection, project.id, 1, registry.site)
            await unit.add(known.model_copy(update={"id": id, "sha256": id}))
            added.set()
            await before_commit.wait()

    added, at_once, later = asyncio.Event(), asyncio.Event(), asyncio.Event()
    at_once.set()
    first = asyncio.create_task(add("first", later))
    await added.wait()
    second = asyncio.create_task(add("second", at_once))
    await asyncio.wait({second}, timeout=0.2)
    later.set()
    await first
    with pytest.raises(ProblemError, match="limit-reached"):
        await second


async def test_another_project_has_its_own(registry: RegistryUnderTest, project: Project) -> None:
    for each in (project, await new_project(registry)):
        assert [(await token(each, number)).status_code for number in range(3)] == [201, 201, 409]


async def test_a_flow_is_published_so_many_times(project: Project) -> None:
    made = (await flow(project, 0)).json()
    published = [await project.send("POST", f"/v1/flows/{made['id']}/publish") for _ in range(3)]
    assert [each.status_code for each in published] == [200, 200, 409]
    assert published[-1].json()["limit"] == "SWITCHHOOK_FLOW_VERSIONS_PER_PROJECT"


async def test_an_event_goes_to_so_many_endpoints(project: Project) -> None:
    bots = [await bot(project), await bot(project)]
    for events, of, status in (
        (["message.received"], [], 201), (["message.sent"], [], 201), (["message.*"], bots[:1], 201),
        (["message.received"], bots[:1], 409), (["*"], [], 409), (["flow.completed", "message.sent"], bots[1:], 201),
    ):  # fmt: skip
        answer = await project.send("POST", "/v1/endpoints", ENDPOINT | {"events": events, "bots": of})
        assert answer.status_code == status, (events, of, answer.text)
    assert answer.json()["name"]
    last = f"/v1/endpoints/{answer.json()['id']}"
    wider = await project.send("PATCH", last, {"bots": bots[:1]})
    assert (wider.status_code, wider.json()["limit"]) == (409, "SWITCHHOOK_ENDPOINTS_PER_EVENT")
    await project.call("PATCH", last, {"name": "other"})
    # A release before had no limit: what it left may be made narrower, also while it is too broad still.
    broad = """UPDATE entity SET data = data || '{"events": ["*"], "bots": []}' WHERE kind = 'endpoint' AND project_id = $1"""
    await project.registry.database.pool.execute(broad, answer.json()["project_id"])
    await project.call("PATCH", last, {"events": ["message.sent"]})


async def test_what_is_stored_of_a_project_has_a_limit_and_less_is_always_taken(project: Project) -> None:
    template = {"format": "template", "template": "x" * 30_000}
    made = await project.post("/v1/endpoints", ENDPOINT | template)
    small = await project.post("/v1/endpoints", ENDPOINT)
    grown = await project.send(
        "PATCH", f"/v1/endpoints/{small['id']}", {"template": "y" * 20_000, "format": "template"}
    )
    assert (grown.status_code, grown.json()["limit"]) == (409, "SWITCHHOOK_STORED_BYTES_PER_PROJECT")
    draft = (await flow(project, 0)).json()
    large = FLOW | {"name": "n" * 100, "nodes": {"hi": {"type": "say", "parts": [{"text": "z" * 20_000}]}}}
    refused = await project.send("PUT", f"/v1/flows/{draft['id']}/draft", {"document": large})
    assert refused.status_code == 409, refused.text
    await project.call("PATCH", f"/v1/endpoints/{made['id']}", {"template": "x"})
    await project.call("PUT", f"/v1/flows/{draft['id']}/draft", {"document": large})


async def test_layouts_of_flows_are_counted_with_what_a_project_has(project: Project) -> None:
    path = f"/v1/flows/{(await flow(project, 0)).json()['id']}/layout"
    large = {"nodes": {f"n{number:063d}": {"x": 0, "y": 0} for number in range(500)}}
    small = {"nodes": {"hi": {"x": 0, "y": 0}}}
    assert (await project.send("PUT", path, small)).status_code == 200
    refused = await project.call("PUT", path, large, expect=409)
    assert (refused["limit"], refused["most"]) == ("SWITCHHOOK_STORED_BYTES_PER_PROJECT", STORED_BYTES)
    assert (await project.get(path))["nodes"] == small["nodes"]
