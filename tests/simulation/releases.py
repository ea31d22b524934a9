"""A release of the engine in which every turn fails: it stops instead of holding everybody, and what is held is released later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from contracts import inbound
from contracts.cloudevents import PROJECT
from flow_engine.batch.parking import redrive
from servicekit.loop.brake import MOST_PROJECTS
from simulation.judge import unfinished
from simulation.machines import Process
from simulation.people import Crowd
from simulation.world import World

INSTALLED_AFTER, SPEAKING_SECONDS = 2.0, 6.0
"""People speak before it comes, too: their timers fire under it."""
RED_SECONDS, HELD_SECONDS = 10.0, 60.0


async def bad_release(world: World, crowd: Crowd, engines: Sequence[Process]) -> list[str]:
    """It is installed while people speak, gone back from, and what it held is released. What is wrong with how it stopped."""
    before = {place: part.end for place, part in _inbound(world).items()}
    world.loop.later(INSTALLED_AFTER, _install, world, engines, True)
    await crowd.count_aloud(SPEAKING_SECONDS, 1.0)
    await asyncio.sleep(RED_SECONDS)
    wrong = [each for process in engines for each in _unsaid(world, process, before)]
    _install(world, engines, False)
    await asyncio.sleep(RED_SECONDS)
    until = world.loop.time() + HELD_SECONDS
    while (held := _held(world)) and world.loop.time() < until:
        for key in held:
            made = redrive(key, "project")
            crowd.lay(key.encode(), made.value or b"", list(made.headers))
        await asyncio.sleep(RED_SECONDS)
    return wrong + [f"not over, though it was released: {each}" for each in unfinished(world, crowd)]


def _install(world: World, engines: Sequence[Process], bad: bool) -> None:
    world.trace("a bad release is installed" if bad else "the release before is installed")
    world.bad_release = bad
    for process in engines:
        process.kill()


def _inbound(world: World) -> dict[int, Any]:
    return dict(enumerate(world.log.topics[inbound.TOPIC.name]))


def _unsaid(world: World, process: Process, before: dict[int, int]) -> list[str]:
    """Where an engine has come to records of more projects than it may hold, it says that it stands still."""
    logs, [loop] = _inbound(world), process.loops
    new = [record for part in loop.assigned for record in logs[part].records[before[part] - logs[part].start :]]
    projects = {dict(record.headers).get(PROJECT) for record in new}
    if len(projects) <= MOST_PROJECTS or "nothing more is applied" in (process.problem() or ""):
        return []
    return [f"{process.name} fails for {len(projects)} projects, and readiness says nothing of it"]


def _held(world: World) -> list[str]:
    waiting = world.conversations.waiting.values()
    return [(held[0].key or b"").decode() for held in waiting if held and not held[0].deferred]
