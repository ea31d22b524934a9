"""A release of the engine in which every turn fails: it stops instead of holding everybody, and what is held is released later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from contracts import inbound
from flow_engine.batch.parking import redrive
from servicekit.loop.brake import MOST_PROJECTS
from simulation.judge import unfinished
from simulation.machines import Process
from simulation.people import Crowd
from simulation.world import World

INSTALLED_AFTER, SPEAKING_SECONDS = 2.0, 6.0
"""People speak before it comes, too: their timers fire under it."""
RED_SECONDS, HELD_SECONDS = 10.0, 60.0
STILL_SECONDS = 5.0
"""A record that has waited so long was tried as often as it is to be."""


async def bad_release(world: World, crowd: Crowd, engines: Sequence[Process]) -> list[str]:
    """It is installed while people speak, gone back from, and what it held is released. What is wrong with how it stopped."""
    world.loop.later(INSTALLED_AFTER, _install, world, engines, True)
    await crowd.count_aloud(SPEAKING_SECONDS, 1.0)
    await asyncio.sleep(RED_SECONDS)
    wrong = [each for process in engines for each in _held_by(world, process) + _unsaid(world, process)]
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


def _held_by(world: World, process: Process) -> list[str]:
    """It holds conversations of no more projects than it may; those that it only reads of it may have applied before."""
    projects = {project for machine, project in world.held if machine is process.machine}
    if len(projects) <= MOST_PROJECTS:
        return []
    return [f"{process.name} holds conversations of {len(projects)} projects"]


def _unsaid(world: World, process: Process) -> list[str]:
    """Where it does not go on, it says so: whatever was said is applied or held, or waits for the release before."""
    [loop] = process.loops
    stands = [part for part in sorted(loop.assigned) if _waits_in(world, part)]
    if not stands or "nothing more is applied" in (process.problem() or ""):
        return []
    return [f"{process.name} stands still in partitions {stands}, and readiness says nothing of it"]


def _waits_in(world: World, part: int) -> bool:
    """Whether a record that is not new has not been applied."""
    log, row = (
        world.log.part(inbound.TOPIC.name, part),
        world.engine_database.checkpoints.rows[inbound.TOPIC.name, part],
    )
    waiting = log.records[row.next_offset - log.start :]
    return bool(waiting) and world.now().timestamp() - waiting[0].timestamp / 1000 > STILL_SECONDS


def _held(world: World) -> list[str]:
    waiting = world.conversations.waiting.values()
    return [(held[0].key or b"").decode() for held in waiting if held and not held[0].deferred]
