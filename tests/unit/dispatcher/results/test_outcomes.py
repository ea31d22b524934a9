"""The queue between attempts and the recorder."""

from __future__ import annotations

import asyncio

import pytest

from dispatcher.results import outcomes
from dispatcher.results.outcomes import Outcomes
from support.leased import attempted, delivery


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that never ends by itself."""
    monkeypatch.setattr(outcomes, "BATCH_WINDOW_SECONDS", 60.0)


async def comes(queue: Outcomes) -> bool:
    waiting = asyncio.create_task(queue.some())
    for _ in range(5):
        await asyncio.sleep(0)
    done = waiting.done()
    waiting.cancel()
    return done


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("kind", "at_once"), [("event", False), ("webhook", False), ("acknowledge", False),
                                              ("message", True), ("call", True), ("channel_call", True)])  # fmt: skip
async def test_who_waits_for_an_outcome_does_not_wait_for_others(kind: str, at_once: bool) -> None:
    queue = Outcomes(10)
    queue.add(attempted(delivery(kind=kind)))
    assert await comes(queue) is at_once


@pytest.mark.usefixtures("patient")
async def test_the_next_of_a_lane_does_not_wait_for_others() -> None:
    queue = Outcomes(10)
    queue.add(attempted(delivery(kind="event", lane="e1/c1")))
    assert await comes(queue)


@pytest.mark.usefixtures("patient")
async def test_what_is_followed_already_waits_for_others() -> None:
    queue = Outcomes(10)
    queue.add(attempted(delivery(kind="event", lane="e1/c1"), goes_on=True))
    assert not await comes(queue)


@pytest.mark.usefixtures("patient")
async def test_a_full_batch_and_a_lane_do_not_wait() -> None:
    full, laned = Outcomes(2), Outcomes(2)
    for _ in range(2):
        full.add(attempted(delivery()))
    laned.look_after({"l"})
    assert await comes(full)
    assert await comes(laned)


async def test_what_nobody_waits_for_comes_after_the_window() -> None:
    queue = Outcomes(10)
    queue.add(attempted(delivery()))
    async with asyncio.timeout(15):
        await queue.some()
    assert len(queue.batch(10).results) == 1


async def test_a_lane_that_is_named_again_while_it_is_looked_at_is_looked_at_again() -> None:
    queue = Outcomes(10)
    queue.look_after({"l"})
    batch = queue.batch(10)
    queue.look_after({"l"})
    queue.saved(batch)
    assert queue.batch(10).lanes == {"l"}


async def test_what_could_not_be_saved_comes_again_before_what_came_since() -> None:
    queue = Outcomes(10)
    first, second = attempted(delivery()), attempted(delivery())
    queue.add(first)
    queue.look_after({"l"})
    queue.unsaved(queue.batch(10))
    queue.add(second)
    assert queue.batch(10) == ([first, second], {"l"})


async def test_it_is_drained_when_all_is_saved() -> None:
    queue = Outcomes(10)
    await queue.drained()
    queue.add(attempted(delivery()))
    waiting = asyncio.create_task(queue.drained())
    await queue.some()
    assert not waiting.done()
    queue.saved(queue.batch(10))
    async with asyncio.timeout(15):
        await waiting


async def test_to_look_after_no_lane_is_no_work() -> None:
    queue = Outcomes(2)
    queue.look_after([])
    assert not await comes(queue)
    async with asyncio.timeout(15):
        await queue.drained()
