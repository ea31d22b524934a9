"""Endpoints' filters and templates: what they come to, and what becomes of one that ends its worker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dispatcher.errors import NoRequest
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from servicekit.loop.batches import Infrastructure
from servicekit.workers.allowances import Allowances
from support.workers_in_memory import WorkersInMemory

EVENT: dict[str, Any] = {
    "type": "tag.added",
    "timestamp": "2026-11-21T00:01:00Z",
    "data": {"tag": "vip", "bot": {"id": "b"}},
}
PLAIN, COUNTED = 'event.type == "tag.added"', '"vip" in [event.data.tag]'


@pytest.fixture
def workers() -> WorkersInMemory:
    return WorkersInMemory(lambda: programs.make(None))


@pytest.fixture
def made(workers: WorkersInMemory) -> Programs:
    return Programs(workers)


async def through(made: Programs, source: str, **data: Any) -> bool:
    return await made.lets_through("p", "e", source, {**EVENT, "data": {**EVENT["data"], **data}})


async def test_a_plain_comparison_is_made_without_a_worker(made: Programs, workers: WorkersInMemory) -> None:
    assert await through(made, PLAIN)
    assert not await through(made, 'event.type == "tag.removed"')
    assert workers.asked == []


async def test_any_other_filter_is_judged_in_a_worker(made: Programs, workers: WorkersInMemory) -> None:
    assert await through(made, COUNTED)
    assert not await through(made, COUNTED, tag="other")
    assert not await through(made, "event.data.nothing.there == 1")
    assert len(workers.asked) == 3


async def test_a_filter_that_cannot_be_judged_lets_the_event_through(made: Programs) -> None:
    assert await through(made, "event.data.tag + 1 == 2")
    assert await through(made, "not a filter")


async def test_a_template_sees_the_event(made: Programs) -> None:
    assert await made.render("p", "{{ event.type | upcase }} of {{ bot.id }}", EVENT) == "TAG.ADDED of b"


async def test_a_template_that_fails_ends_the_delivery(made: Programs) -> None:
    with pytest.raises(NoRequest) as refused:
        await made.render("p", "{% for x in (1..100000000) %}{{ x }}{% endfor %}", EVENT)
    assert (refused.value.outcome, refused.value.code) == ("exhausted", "template")


async def test_a_program_that_ends_two_workers_has_failed(made: Programs, workers: WorkersInMemory) -> None:
    workers.ends = lambda task, progress: True
    with pytest.raises(NoRequest, match="was ended"):
        await made.render("p", "{{ event.type }}", EVENT)
    assert await through(made, COUNTED)
    assert (len(workers.asked), workers.fresh) == (4, 2)


async def test_a_worker_that_somebody_else_ends_costs_nothing_but_another_try(
    made: Programs, workers: WorkersInMemory
) -> None:
    workers.ends = lambda task, progress: len(workers.asked) == 1
    assert await made.render("p", "{{ event.type }}", EVENT) == "tag.added"


async def test_a_project_that_ends_worker_after_worker_gets_none_and_others_do(workers: WorkersInMemory) -> None:
    made = Programs(workers, Allowances(lambda: 0.0))
    workers.ends = lambda task, progress: "slow" in task.source
    for _ in range(10):
        assert await through(made, '"slow" in [event.type]')
    asked = len(workers.asked)
    assert asked < 10
    assert not await made.lets_through("another", "e", '"x" in [event.type]', EVENT)
    assert len(workers.asked) == asked + 1


async def test_what_programs_take_is_spent(workers: WorkersInMemory) -> None:
    made = Programs(workers, Allowances(lambda: 0.0))
    workers.cpu = 1.0
    for _ in range(10):
        await through(made, COUNTED)
    assert len(workers.asked) == 3


async def test_where_no_worker_can_be_had_no_event_is_let_through_or_lost(
    made: Programs, workers: WorkersInMemory
) -> None:
    workers.none_there = True
    with pytest.raises(Infrastructure):
        await through(made, COUNTED)


async def test_what_waited_for_a_worker_while_its_project_spent_its_allowance_gets_none(
    workers: WorkersInMemory,
) -> None:
    made = Programs(workers, Allowances(lambda: 0.0))
    workers.ends = lambda task, progress: True
    workers.free.clear()
    waiting = [asyncio.create_task(through(made, COUNTED)) for _ in range(20)]
    await asyncio.sleep(0)
    workers.free.set()
    assert all(await asyncio.gather(*waiting))
    assert len(workers.asked) < 12
