"""Checks of documents in real worker processes: one that does not end is told so, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from registry.checking import checks
from registry.checking.checks import AT_ONCE, Checks
from registry.checking.tasks import TARGET
from servicekit.kafka.cluster import Cluster
from servicekit.workers.line import Limits
from servicekit.workers.pool import WorkerPool
from support import registry_checks
from support.registry_api import Project, RegistryUnderTest, new_project, running_registry

FLOW: dict[str, Any] = {
    "schema": "flow/1", "slug": "hello", "name": "Hello", "start": "say",
    "triggers": [{"id": "go", "type": "command", "value": "/go", "to": "say"}],
    "nodes": {"say": {"type": "say", "parts": [{"text": "Hello"}]}},
}  # fmt: skip
DEEP = "{{ " + "memory[" * 5_000 + "1" + "]" * 5_000 + " }}"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def walled(registry_database: str, registry_cluster: Cluster) -> AsyncIterator[RegistryUnderTest]:
    """A registry with worker processes, as in production but for the document that does not end."""
    async with (
        WorkerPool(f"{registry_checks.__name__}:make", most=AT_ONCE) as pool,
        running_registry(registry_cluster, registry_database, checks=Checks(pool)) as replica,
    ):
        yield replica


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def check(project: Project, document: Any) -> httpx.Response:
    return await project.send("POST", "/v1/flows/check", {"document": document})


async def test_a_check_that_does_not_end_is_told_by_its_limit_and_others_go_on(
    walled: RegistryUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "LIMITS", Limits(cpu=0.5, seconds=10.0))
    greedy, neighbour = await new_project(walled), await new_project(walled)
    await asyncio.gather(check(greedy, FLOW), check(neighbour, FLOW))
    endless = {**FLOW, "name": registry_checks.ENDLESS}
    busy = [asyncio.create_task(check(greedy, endless)) for _ in range(2)]
    await asyncio.sleep(0)
    took = []
    while not busy[0].done():
        began = time.perf_counter()
        assert (await check(neighbour, FLOW)).json() == {"problems": []}
        took.append(time.perf_counter() - began)
    assert len(took) > 5
    assert sorted(took)[len(took) // 2] < 0.1
    for answer in await asyncio.gather(*busy):
        assert answer.status_code == 422
        assert answer.json()["type"].endswith("/check-too-costly")
        assert "0.5 s of CPU" in answer.json()["detail"]


@pytest.mark.parametrize(
    "document",
    [
        {**FLOW, "nodes": {"say": {"type": "say", "parts": [{"text": DEEP}]}}},
        {**FLOW, "nodes": {f"n{i}": {"type": "say", "parts": [{"text": DEEP[:16_000]}]} for i in range(12)}},
        "[" * 200_000,
        "a: &a [" + "*a," * 50_000,
        "{{ " + "memory[" * 29_000,
    ],
    ids=["deep", "204 kB", "brackets", "aliases", "yaml"],
)
async def test_a_bomb_is_refused_soon_while_the_service_answers(walled: RegistryUnderTest, document: Any) -> None:
    project = await new_project(walled)
    began, longest = time.perf_counter(), 0.0
    checked = asyncio.create_task(check(project, document))
    while not checked.done():
        last = time.process_time()
        await asyncio.sleep(0.001)
        longest = max(longest, time.process_time() - last)
    answer = await checked
    assert answer.status_code in (200, 422)
    assert answer.status_code == 422 or any(one["severity"] == "error" for one in answer.json()["problems"])
    assert time.perf_counter() - began < 6
    assert longest < 0.25


async def test_the_products_target_does_the_same(registry_database: str, registry_cluster: Cluster) -> None:
    async with (
        WorkerPool(TARGET, most=AT_ONCE) as pool,
        running_registry(registry_cluster, registry_database, checks=Checks(pool)) as replica,
    ):
        project = await new_project(replica)
        assert (await check(project, FLOW)).json() == {"problems": []}
