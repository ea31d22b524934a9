"""Checks of what users wrote: what they say, whose turn it is, and what is told of one that passes a limit."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from registry.checking.checks import MOST_WAITING, Checks
from registry.values.checking_worker import do
from servicekit.web.problems import ProblemError
from support.workers_in_memory import WorkersInMemory

FLOW: dict[str, Any] = {
    "schema": "flow/1", "slug": "shop", "name": "Shop", "start": "call",
    "triggers": [{"id": "paid", "type": "webhook", "accept": {"order": "string"}, "to": "call"}],
    "nodes": {
        "call": {"type": "call_api", "api": "seats", "ports": {"ok": "say", "error": "say"}},
        "say": {"type": "say", "parts": [{"text": "{{ nothing.there }}"}]},
    },
}  # fmt: skip


@pytest.fixture
def workers() -> WorkersInMemory:
    return WorkersInMemory(lambda: do)


@pytest.fixture
def checks(workers: WorkersInMemory) -> Checks:
    return Checks(workers)


async def test_what_is_read_and_found_is_what_the_functions_say(checks: Checks) -> None:
    assert await checks.read("schema: flow/1\nslug: shop\n") == {"schema": "flow/1", "slug": "shop"}
    assert [one["code"] for one in await checks.problems(FLOW)] == ["unknown-name"]
    assert await checks.called_apis(FLOW) == {"seats"}
    assert await checks.webhook_entry(FLOW, "paid") == {"order": "string"}


async def test_what_is_refused_is_refused_with_its_place(checks: Checks) -> None:
    with pytest.raises(ProblemError) as refused:
        await checks.read({"schema": "flow/1"})
    assert (refused.value.status, refused.value.extra["errors"][0]["pointer"]) == (422, "#/document/slug")
    with pytest.raises(ProblemError) as refused:
        await checks.refuse_wrong("filter", "event.")
    assert (refused.value.status, refused.value.extra["errors"][0]["pointer"]) == (422, "#/filter")
    await checks.refuse_wrong("template", None)
    await checks.refuse_wrong("template", "{{ event.type }}")


async def test_a_check_that_passes_a_limit_is_refused_by_its_name(checks: Checks, workers: WorkersInMemory) -> None:
    workers.ends, workers.by_limit = lambda task, progress: True, True
    with pytest.raises(ProblemError) as refused:
        await checks.read(FLOW)
    assert (refused.value.status, refused.value.type_slug) == (422, "check-too-costly")
    assert "5 s of CPU" in (refused.value.detail or "")


async def test_a_check_whose_process_somebody_ends_is_made_in_another(checks: Checks, workers: WorkersInMemory) -> None:
    workers.ends = lambda task, progress: not workers.fresh
    assert await checks.called_apis(FLOW) == {"seats"}
    assert workers.fresh == 1


@pytest.mark.parametrize("none_there", [False, True])
async def test_a_check_whose_process_somebody_ends_may_be_sent_again(
    checks: Checks, workers: WorkersInMemory, none_there: bool
) -> None:
    workers.ends, workers.none_there = lambda task, progress: True, none_there
    with pytest.raises(ProblemError) as refused:
        await checks.read(FLOW)
    assert (refused.value.status, refused.value.type_slug) == (503, "unavailable")


async def test_a_project_has_one_turn_at_a_time_and_others_have_theirs(checks: Checks) -> None:
    began: list[str] = []
    go_on = asyncio.Event()

    async def request(project: str) -> None:
        async with checks.turn(project):
            began.append(project)
            await go_on.wait()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(MOST_WAITING + 1):
            tasks.create_task(request("greedy"))
        await _settled()
        with pytest.raises(ProblemError) as refused:
            await request("greedy")
        assert (refused.value.status, refused.value.type_slug) == (429, "too-many-checks")
        tasks.create_task(request("another"))
        await _settled()
        assert began == ["greedy", "another"]
        go_on.set()
    assert began.count("greedy") == MOST_WAITING + 1
    assert checks._waiting == checks._projects == {}


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_export_that_takes_long_is_ended_by_a_limit(checks: Checks, workers: WorkersInMemory) -> None:
    export = {"nodes": [{"name": "entry", "onEnter": ["dance"], "next": []}]}
    document, report = await checks.imported(export, "botpress", {}, "dancing")
    assert (document["slug"], [one["what"] for one in report]) == ("dancing", ["action dance", "the start"])
    workers.ends, workers.by_limit = lambda task, progress: True, True
    with pytest.raises(ProblemError) as refused:
        await checks.imported(export, "botpress", {}, "dancing")
    assert (refused.value.status, refused.value.type_slug) == (422, "check-too-costly")
