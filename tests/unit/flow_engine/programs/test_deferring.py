"""Which turns are in the making, whose turn is next, and what becomes of them when partitions go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from flow_engine.batch.waking import Waking
from flow_engine.programs import deferring
from flow_engine.programs.deferring import MOST, Deferred, Deferring
from flow_engine.programs.stepping import Event, Stepping
from flow_engine.state.rows import TurnOf
from flowlang.model import Contact, Conversation, Happening, RunCode, Turn
from support.engine_deferring_suite import GatedSandbox
from support.workers_in_memory import WorkersInMemory

NOW = "2026-11-21T00:00:00.000Z"
MOST_OF_A_PROJECT = MOST // 2
"""Places that a project alone has."""


class Gated:
    """In place of Stepping: no turn is made at once, and each ends when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Future[None]] = {}

    def at_once(self, event: Event) -> Turn | None:
        return None

    async def turn(self, event: Event, catalogue: Any) -> Turn:
        key = event.conversation.key
        self.begun.append(key)
        await self.ends.setdefault(key, asyncio.get_running_loop().create_future())
        return Turn(event.conversation, event.contact)

    def end(self, key: str) -> None:
        self.ends.setdefault(key, asyncio.get_running_loop().create_future()).set_result(None)


class World:
    """Conversations `project/number`, all in partition 0 unless said otherwise."""

    def __init__(self) -> None:
        self.stepping = Gated()
        self.deferring = Deferring(self.stepping, patience=0.001)  # type: ignore[arg-type]

    async def come(self, key: str, *, part: int = 0, here: bool = False) -> bool:
        """A batch comes to the conversation's event. Whether it got its turn."""
        project = key.partition("/")[0]
        conversation = Conversation(key, project, "b", "c", "http", key, "")
        event = Event(None, conversation, Contact(""), Happening(f"e {key}", "message", NOW), lambda _: _)  # type: ignore[arg-type,return-value]
        try:
            await self.deferring.turn(event, TurnOf(part, key, project), None, here=here)  # type: ignore[arg-type]
        except Deferred:
            return False
        return True

    def spend_patience(self, project: str) -> None:
        """Batches have waited for it in vain as long as they do."""
        self.deferring._patience.spend(project, deferring.MOST_PATIENCE * 2)

    def regain_patience(self, project: str) -> None:
        """That was long ago."""
        self.deferring._patience._full_at.pop(project)

    async def woken(self) -> list[str]:
        async with asyncio.timeout(5):
            return [whose.key for whose in await self.deferring.to_wake()]


@pytest.fixture
async def made() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.deferring.close()


async def test_as_long_as_batches_have_patience_nobody_queues_behind_the_slow_turns_of_the_project(made: World) -> None:
    for number in range(MOST_OF_A_PROJECT + 5):
        assert not await made.come(f"busy/{number}")
    made.stepping.end("busy/quick")
    assert await made.come("busy/quick")


async def test_a_project_has_so_many_in_the_making_and_another_one_has_room(made: World) -> None:
    made.spend_patience("busy")
    for number in range(MOST_OF_A_PROJECT + 5):
        assert not await made.come(f"busy/{number}")
    assert not await made.come("other/1")
    assert made.stepping.begun == [*(f"busy/{number}" for number in range(MOST_OF_A_PROJECT)), "other/1"]


async def test_places_go_to_those_who_wait_one_project_after_the_other(made: World) -> None:
    made.deferring._places.most = 2
    for project in ("busy", "first", "other"):
        made.spend_patience(project)
    for key in ("busy/1", "first/1", "busy/2", "busy/3", "other/1", "other/2"):
        await made.come(key)
    for ended, next_one in (("busy/1", "busy/2"), ("busy/2", "other/1"), ("other/1", "busy/3"), ("busy/3", "other/2")):
        made.stepping.end(ended)
        assert await made.woken() == [ended]
        assert await made.come(ended)
        assert await made.woken() == [next_one]
        assert not await made.come(next_one)


async def test_those_who_wait_have_the_places_that_become_free_however_many_begin_since_there_is_patience(
    made: World,
) -> None:
    """Else who waits does so as long as others come, however long that is."""
    made.spend_patience("busy")
    for number in range(MOST_OF_A_PROJECT + 1):
        assert not await made.come(f"busy/{number}")
    made.regain_patience("busy")
    for number in range(MOST_OF_A_PROJECT):
        assert not await made.come(f"busy/new {number}")
    assert f"busy/new {MOST_OF_A_PROJECT - 1}" in made.stepping.begun
    made.stepping.end("busy/0")
    assert await made.woken() == ["busy/0"]
    assert await made.come("busy/0")
    assert await made.woken() == [f"busy/{MOST_OF_A_PROJECT}"]


async def test_who_comes_later_does_not_overtake_those_of_the_project_who_wait(made: World) -> None:
    made.spend_patience("busy")
    for number in range(MOST_OF_A_PROJECT + 1):
        await made.come(f"busy/{number}")
    made.stepping.end("busy/0")
    await made.woken()
    assert await made.come("busy/0")
    assert not await made.come("busy/late")
    assert await made.woken() == [f"busy/{MOST_OF_A_PROJECT}"]
    assert "busy/late" not in made.stepping.begun


async def test_what_belongs_to_a_partition_that_has_gone_is_forgotten(made: World) -> None:
    for number in range(MOST_OF_A_PROJECT + 2):
        await made.come(f"busy/{number}", part=number % 2)
    made.deferring.forget({0, 1})
    assert made.deferring.is_idle
    made.deferring.let_wait([TurnOf(1, "busy/1", "busy")])
    assert await made.woken() == ["busy/1"]


async def test_a_project_whose_turns_take_long_has_no_more_patience(made: World) -> None:
    """Its turns are deferred at once, so that batches wait for it no longer than its share."""
    made.spend_patience("busy")
    made.deferring._patience_of_one = 60.0
    async with asyncio.timeout(5):
        assert not await made.come("busy/1")
    made.stepping.end("busy/1")
    assert await made.woken() == ["busy/1"]
    assert await made.come("busy/1")


async def test_where_it_has_to_be_a_batch_waits_for_what_is_in_the_making(made: World) -> None:
    assert not await made.come("busy/1")
    asyncio.get_running_loop().call_later(0.01, made.stepping.end, "busy/1")
    assert await made.come("busy/1", here=True)
    assert made.stepping.begun == ["busy/1"]
    assert made.deferring.is_idle


class Loop:
    """A partition loop that does not hold what is asked for, or cannot reach its database."""

    topic, assigned = "inbound", set[int]()

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def transact(self, partition: int, save: Any) -> bool:
        if self.error is not None:
            raise self.error
        return False


async def test_of_a_partition_that_another_process_holds_nothing_is_kept(made: World) -> None:
    for number in range(MOST_OF_A_PROJECT + 1):
        await made.come(f"busy/{number}")
    made.stepping.end("busy/0")
    waking = Waking(Loop(), made.deferring)
    while not made.deferring.is_idle:
        await waking.wake(await made.deferring.to_wake())
        for key in set(made.stepping.begun) - {"busy/0"}:
            if not made.stepping.ends[key].done():
                made.stepping.end(key)


async def test_wakes_wait_for_the_database(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flow_engine.batch.waking.AGAIN_SECONDS", 0)
    await made.come("busy/1")
    made.stepping.end("busy/1")
    await Waking(Loop(ConnectionError()), made.deferring).wake(await made.deferring.to_wake())
    assert await made.woken() == ["busy/1"]


async def test_of_code_nodes_a_project_alone_runs_half_of_what_may_run_at_a_time() -> None:
    sandbox = GatedSandbox()
    stepping = Stepping(sandbox, WorkersInMemory(lambda: None), code_at_once=2)  # type: ignore[arg-type,return-value]
    code = RunCode("w", "1", {}, NOW, "s")

    def run(project: str) -> asyncio.Task[Any]:
        conversation = Conversation(project, project, "b", "c", "http", "p", "")
        event = Event(None, conversation, Contact(""), Happening("e", "message", NOW), lambda _: _)  # type: ignore[arg-type,return-value]
        return asyncio.create_task(stepping._run(event, code))

    tasks = [run("busy"), run("busy"), run("other")]
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(sandbox.ran) == 2
    sandbox.gate.set()
    await asyncio.gather(*tasks)
    assert len(sandbox.ran) == 3
