"""Worker processes: what they do, what ends them, and what becomes of the others."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvloop

from servicekit.workers import forking
from servicekit.workers import pool as pools
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Ended, TaskFailed, WorkerPool
from support.waiting import eventually

TARGET = "support.worker_target:make"
LIMITS = Limits(cpu=0.1, seconds=5.0)
LONG = 10**12
TOO_BIG = 1 << 30


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(TARGET, {"of": "the service"}, most=2) as running:
        yield running


async def ask(pool: WorkerPool, *task: tuple[str, Any], limits: Limits = LIMITS, fresh: bool = False) -> Any:
    async with pool.worker(fresh=fresh) as worker:
        return (await worker.ask(task, limits))[0]


async def test_a_worker_does_task_after_task_and_a_fresh_one_has_done_nothing(pool: WorkerPool) -> None:
    assert await ask(pool, ("settings", None)) == {"of": "the service"}
    first = await ask(pool)
    assert (first != os.getpid(), await ask(pool)) == (True, first)
    assert await ask(pool, fresh=True) != first


async def test_who_can_start_no_process_says_that_no_worker_can_be_had(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the limit of processes, say: whoever asked tries again later, and blames no program for it."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(forking.subprocess, "Popen", refuse)
    with pytest.raises(ForkerGone):
        await ask(pool)


def test_it_works_on_the_services_event_loop() -> None:
    async def done() -> Any:
        async with WorkerPool(TARGET, most=1) as running:
            with pytest.raises(Ended):
                await ask(running, ("kill", signal.SIGKILL))
            return await ask(running, ("progress", None))

    assert uvloop.run(done()) != os.getpid()


async def test_projects_that_wait_for_a_worker_have_their_turns() -> None:
    done: list[str] = []

    async def hold(pool: WorkerPool, project: str) -> None:
        async with pool.worker(project):
            done.append(project)

    async with WorkerPool(TARGET, most=1) as pool:
        async with pool.worker("flood"):
            waiting = [asyncio.create_task(hold(pool, project)) for project in ("flood", "flood", "flood", "other")]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert done == ["flood", "other", "flood", "flood"]


async def test_two_work_at_once_and_a_third_task_waits(pool: WorkerPool) -> None:
    async with pool.worker() as one, pool.worker() as other:
        assert (await one.ask([], LIMITS))[0] != (await other.ask([], LIMITS))[0]
        third = asyncio.create_task(ask(pool))
        await asyncio.sleep(0)
        assert not third.done()
    assert await third


async def test_a_task_that_raises_has_failed_and_its_worker_goes_on(pool: WorkerPool) -> None:
    first = await ask(pool)
    with pytest.raises(TaskFailed, match="ValueError: no"):
        await ask(pool, ("raise", "no"))
    assert await ask(pool) == first


@pytest.mark.parametrize(
    ("task", "why", "by_limit"),
    [
        (("loop", None), "more CPU", True),
        (("hold", LONG), "more CPU", True),
        (("sleep", 60), "longer", True),
        (("stop", None), "longer", True),
        (("kill", signal.SIGKILL), "signal 9", False),
        (("kill", signal.SIGSEGV), "signal 11", False),
        (("exit", 7), "has ended", False),
        pytest.param(
            ("memory", TOO_BIG), "more memory", True,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds the limit"),
        ),
    ],
)  # fmt: skip
async def test_whatever_a_task_does_it_ends_and_the_next_one_is_done(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch, task: tuple[str, Any], why: str, by_limit: bool
) -> None:
    # Only of a worker that is stopped may the service find out by its own clock.
    monkeypatch.setattr(pools, "STOPPED_SECONDS", 0.2 if task[0] == "stop" else 60.0)
    limits = Limits(cpu=0.05, seconds=0.1 if task[0] in ("sleep", "stop") else 5.0)
    with pytest.raises(Ended, match=why) as ended:
        async with asyncio.timeout(12):
            await ask(pool, ("progress", None), ("progress", None), task, ("progress", None), limits=limits)
    assert (ended.value.by_limit, ended.value.progress) == (by_limit, 2)
    assert await ask(pool)


async def test_a_worker_that_is_killed_while_nobody_needs_it_costs_the_next_task_nothing(pool: WorkerPool) -> None:
    idle = await ask(pool)
    os.kill(idle, signal.SIGKILL)
    await eventually(lambda: not (_lives(idle) or pool.has_idle))
    assert await ask(pool) != idle


async def test_the_service_answers_while_a_worker_is_busy(pool: WorkerPool) -> None:
    await ask(pool)
    began = time.perf_counter()
    busy = asyncio.create_task(ask(pool, ("hold", LONG)))
    longest = 0.0
    while not busy.done():
        last = time.perf_counter()
        await asyncio.sleep(0.001)
        longest = max(longest, time.perf_counter() - last)
    assert longest < (time.perf_counter() - began) / 2
    with pytest.raises(Ended):
        await busy


async def test_whoever_stops_waiting_leaves_no_answer_behind(pool: WorkerPool) -> None:
    first = await ask(pool)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await ask(pool, ("sleep", 0.1))
    assert await ask(pool) != first


async def test_a_forker_that_is_killed_is_followed_by_another(pool: WorkerPool) -> None:
    async with pool.worker() as worker:
        pid = (await worker.ask([], LIMITS))[0]
        parent = pool._forking._process
        assert parent is not None
        parent.kill()
        with pytest.raises(Ended) as ended:
            await worker.ask([("kill", signal.SIGKILL)], LIMITS)
    assert not ended.value.by_limit
    assert await ask(pool) != pid


async def test_workers_have_none_of_the_services_settings(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_KEK", "secret")
    found = await ask(pool, ("environment", None))
    assert "PATH" in found
    assert not [name for name in found if name.startswith("SWITCHHOOK_")]


async def test_workers_end_with_their_service() -> None:
    async with WorkerPool(TARGET, most=1) as running:
        pid = await ask(running)
    await eventually(lambda: not _lives(pid), seconds=10)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in _status(pid)


def _status(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
            return status.read()
    except OSError:
        return ""
