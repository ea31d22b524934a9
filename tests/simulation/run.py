"""One run: the seed decides everything that happens, and the judge looks at what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from bench.chaos.checker import SentAgain, Verdict

from simulation import judge, repairs, restored
from simulation.address_books import AddressBooks
from simulation.agents import Agents
from simulation.broadcasts import Broadcasts
from simulation.erasures import Erasures
from simulation.faults import BESIDE_SLOW_ONES, BLINKS, ENGINES, Faults, Profile, profile_of
from simulation.machines import Process, dispatcher, engine
from simulation.people import Crowd
from simulation.places import simulated
from simulation.releases import bad_release
from simulation.restored import Backup
from simulation.tenants import OTHER_CHATS, QUICK_CHATS, SLOW_CHATS
from simulation.world import Clients, World

PAUSE_SECONDS, FIRST_CHAT = 1.0, 100
AGAIN_SECONDS, BUSY_PAUSE_SECONDS = 4.0, 0.15
LONGEST_PEACE = 150.0
"""A timer whose record is gone is missed after one to two minutes."""
MOST_NIGHTS = 20
LOOK_SECONDS = 0.5
AFTERWARDS_SECONDS = 8.0
"""What a zombie or a stale lease would still do, it does within a lease and a session."""


@dataclass
class Report:
    """`wrong` has a sentence for each thing that should not be. `digest` is that of all that happened."""

    seed: int
    digest: int
    events: int
    steps: int
    seconds: float
    """Of virtual time."""
    verdict: Verdict
    wrong: list[str] = field(default_factory=list)


def simulate(
    seed: int, *, broken: str = "", profile: Profile | None = None, write: Callable[[str], None] | None = None
) -> Report:
    """The whole run of a seed, with a protection left out if one is `broken`. `write` gets each line of the trace."""
    profile = profile or profile_of(seed)
    world = World(seed, pace=profile.pace, write=write)
    try:
        with simulated(world.loop, Random(f"code {seed}"), Clients(world), broken):
            try:
                return world.loop.run_until_complete(_run(world, profile))
            finally:
                world.bury()
    finally:
        world.loop.close()


async def _run(world: World, profile: Profile) -> Report:
    processes = [Process(world, name, engine) for name in ("engine-1", "engine-2")]
    processes += [Process(world, name, dispatcher) for name in ("dispatcher-1", "dispatcher-2")]
    crowd, faults, begun = Crowd(world, _chats(profile)), Faults(world, processes, profile), world.loop.time()
    beside = (
        AddressBooks(world, crowd, profile.files), Agents(world, profile.agents), Erasures(world, profile.erased),
        Broadcasts(world, profile.told),
    )  # fmt: skip
    world.broadcasts = bool(profile.told)
    for process in processes:
        process.start()
    await asyncio.sleep(profile.begins)
    faults.begin()
    backup, *_ = await asyncio.gather(
        faults.back_up(profile.seconds),
        crowd.count_aloud(profile.seconds, PAUSE_SECONDS),
        *(each.bring(profile.seconds) for each in beside),
        faults.strike(profile.seconds),
        faults.poison(crowd, profile.seconds),
    )
    faults.end()
    settled = await _settle(world, crowd, processes)
    unstopped = await bad_release(world, crowd, processes[:ENGINES]) if settled and profile.bad_release else []
    unsaid = await _other_log(world, crowd, processes, profile.log) if settled and profile.log else None
    unwaited, again = await _restored(world, crowd, processes, backup, profile) if settled and backup else ([], None)
    settled = await _settle(world, crowd, processes)
    await asyncio.sleep(AFTERWARDS_SECONDS)
    verdict, wrong = judge.judge_all(world, crowd, processes, settled=settled, again=again)
    wrong += unwaited + unstopped + [each for part in beside for each in part.wrong()]
    wrong += judge.disordered(world) if not profile.log else []  # A place in a lane is one in a log.
    wrong += judge.of_flows(world, repeated=profile.restored is not None, lost=bool(profile.log))
    wrong += judge.felt(crowd, faults.neighbours)
    wrong += judge.repeated(verdict) if profile == BLINKS else []
    wrong += judge.quick_ones(world, crowd) if profile == BESIDE_SLOW_ONES else []
    wrong += [unsaid] if unsaid else []
    return Report(
        world.seed, world.trace.digest, world.trace.events, world.loop.steps, world.loop.time() - begun, verdict, wrong
    )


def _chats(profile: Profile) -> list[int]:
    return [
        *range(FIRST_CHAT, FIRST_CHAT + profile.people), *QUICK_CHATS[: profile.quick_people], *SLOW_CHATS[: profile.slow_people],
        *OTHER_CHATS[: profile.other_people],
    ]  # fmt: skip


async def _other_log(world: World, crowd: Crowd, processes: list[Process], how: str) -> str | None:
    """A topic is not the one from before, an operator repairs it, and people go on; what readiness did not say."""
    topic = repairs.damage(world, how)
    unsaid = await repairs.said(world, processes, topic, unread=how == "cut off and written on")
    unsaid = unsaid or await _speak_beside(world, crowd, topic, how)
    repairs.accept_loss(world, topic)
    await crowd.count_aloud(AGAIN_SECONDS, PAUSE_SECONDS)
    return unsaid


async def _speak_beside(world: World, crowd: Crowd, topic: str, how: str) -> str | None:
    """People go on while the partitions of a topic that has grown wait for an operator: nothing of the new one may be done."""
    if how == "grown":
        await crowd.count_aloud(AGAIN_SECONDS, PAUSE_SECONDS)
    return repairs.begun(world, topic)


async def _restored(
    world: World, crowd: Crowd, processes: list[Process], backup: Backup, profile: Profile
) -> tuple[list[str], SentAgain | None]:
    """A service's database is an older one, an operator decides, and people go on. What was wrong with how the service
    waited for him; what may be sent a second time."""
    assert profile.restored is not None
    speaking = [crowd.count_aloud(AGAIN_SECONDS, BUSY_PAUSE_SECONDS)] if profile.busy else []
    wrong, *_ = await asyncio.gather(restored.restore(world, backup, processes, busy=profile.busy), *speaking)
    _, choice = profile.restored
    again = restored.sent_again(world, backup, choice)
    await restored.accept(world, backup, choice)
    await crowd.count_aloud(AGAIN_SECONDS, PAUSE_SECONDS)
    return wrong, again


async def _settle(world: World, crowd: Crowd, processes: list[Process]) -> bool:
    """Wait until everything has come to its end; whether it has. While there is nothing to do for long, nobody is at work:
    time costs nothing then."""
    for _ in range(MOST_NIGHTS):
        deadline = world.loop.time() + LONGEST_PEACE
        while judge.unfinished(world, crowd):
            if world.loop.time() > deadline:
                return False
            await asyncio.sleep(LOOK_SECONDS)
        waiting = [row.due for row in judge.at_rest(world) if row.due] + list(judge.given_up(world).values())
        if not waiting:
            return True
        await _night(processes, (min(waiting) - world.now()).total_seconds())
    return False


async def _night(processes: list[Process], seconds: float) -> None:
    """Everything is switched off for so long."""
    for process in processes:
        process.stop()
    await asyncio.sleep(seconds)
    for process in processes:
        process.start()
