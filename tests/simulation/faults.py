"""What happens to a run, by its seed: which kinds of trouble, how much of each, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from contracts import actions
from operations.restores import Choice
from simulation import judge
from simulation.losing import Losing
from simulation.machines import LEASE_SECONDS, SESSION_SECONDS, Process
from simulation.people import BAD_RECORDS, Crowd
from simulation.programs import Pace
from simulation.restored import Backup
from simulation.tenants import TENANTS, api_host, bot_host, hook_host
from simulation.virtual_loop import MACHINE
from simulation.world import ORDINARY, World

POISONED = 6
ENGINES, SHORT_SECONDS = 2, 100.0
"""The first processes are engines."""
POINTS = ("before_txn", "after_commit", "before_send", "before_record", "after_record")
MORE = 6
"""One point is met more than the others: what goes wrong only there would take too many runs."""
IDLE_SECONDS = 20.0
"""How long dispatchers stay without engines when they have nothing to do, and are there before those are back."""
BEYOND = max(SESSION_SECONDS, LEASE_SECONDS) + 3.0


@dataclass(frozen=True)
class Profile:
    """How much of what. Shares are of the times that a failpoint is passed, or of the answers to COMMIT."""

    seconds: float = 6.0
    """How long people speak and trouble lasts: what a frozen process does when it goes on shows only if others go on, too."""
    begins: float = 1.0
    """When people begin to speak, seconds after the processes have been started: they may be at it still, or not."""
    kill: float = 0.0
    freeze: float = 0.0
    unknown: float = 0.0
    loses: float = 0.0
    blows: int = 0
    blinks: int = 0
    ends: int = 0
    """How often a process is told to end, as when a release is installed."""
    rebalances: int = 0
    """How often the groups are divided anew, where all may keep what they had; a process may be told to end meanwhile."""
    given_up: float = 0.0
    """The share of batches that a producer gives up: their partitions begin anew, whatever is in hand."""
    late: float = 0.0
    """The share of databases' answers that take long: of a batch, while whatever else is asked is answered at once."""
    full: int = 0
    """How often a database has no room for a while."""
    bad_receivers: bool = False
    clocks: bool = False
    poison: bool = False
    pace: Pace = ORDINARY
    people: int = 6
    quick_people: int = 0
    slow_people: int = 0
    other_people: int = 0
    """Of bots whose programs are quick or slow, and of one more tenant (`tenants`)."""
    files: int = 0
    """How many files of contacts are imported meanwhile, some of which are merged (`address_books`)."""
    agents: int = 0
    erased: int = 0
    told: int = 0
    """How many people agents take over meanwhile (`agents`), how many are erased (`erasures`), and how many are told something
    by a broadcast (`broadcasts`): none or at least four."""
    log: str = ""
    """What becomes of a topic in the end: `made anew`, `cut off`, `cut off and written on`, `grown`, or nothing."""
    gone: float = 0.0
    garbled: float = 0.0
    """Of records that Kafka has acknowledged (`losing`)."""
    slow_saves: int = 0
    """So many conversations a transaction saves in time; 0: all."""
    bad_release: bool = False
    restored: tuple[str, Choice] | None = None
    """Whose database is restored in the end from a copy made meanwhile, and what the operator says."""
    busy: bool = False
    """People speak, and answers to COMMIT get lost, while the service is stopped for that."""


BLINKS = Profile(begins=5.0, blinks=2)
"""Only the dispatcher's database is away, and not for long: nothing has to be sent again. It begins once the groups are divided:
what a dispatcher has in hand of a lane whose partition goes to another one is sent by both (guarantees.md 3.4)."""
BESIDE_SLOW_ONES = Profile(begins=5.0, seconds=2.5, people=0, quick_people=20, slow_people=24)
"""Nothing goes wrong, but a project has slow turns beside the quick ones."""
BAD_RELEASE = Profile(bad_release=True, other_people=4)
SHAKEN = Profile(
    seconds=4.0, rebalances=3, ends=1, given_up=0.03, late=0.06, people=4, quick_people=6, slow_people=4, pace=Pace(busy=0.3),
)  # fmt: skip
"""Batches have many turns that are not ready at once, and partitions are kept over a rebalance meanwhile."""
PROGRAMS: dict[str, Any] = {
    "pace": Pace(slow=0.1, fails=0.1, ended=0.05, none_there=0.01), "people": 3, "quick_people": 2, "slow_people": 2,
}  # fmt: skip


def profile_of(seed: int) -> Profile:
    """Every kind of trouble alone for some seeds, and together for the others."""
    alone = (
        Profile(kill=0.02),
        Profile(freeze=0.006, seconds=16.0),
        Profile(unknown=0.1),
        Profile(loses=0.02),
        Profile(blows=3),
        Profile(bad_receivers=True),
        Profile(poison=True, kill=0.01),
        Profile(clocks=True, freeze=0.004, seconds=12.0),
        Profile(log="made anew"),
        Profile(log="cut off"),
        Profile(restored=("flow-engine", "again")),
        Profile(restored=("dispatcher", "again")),
        Profile(restored=("dispatcher", "skip"), unknown=0.05),
        BLINKS,
        BESIDE_SLOW_ONES,
        Profile(gone=0.2),
        Profile(garbled=0.3),
        Profile(slow_saves=2, blows=2),
        Profile(log="cut off and written on"),
        Profile(log="grown"),
        BAD_RELEASE,
        SHAKEN,
        Profile(kill=0.02, **PROGRAMS),
        Profile(freeze=0.006, seconds=12.0, **PROGRAMS),
    )
    kind = seed % (2 * len(alone))
    if kind < len(alone):
        return alone[kind]
    beside: dict[str, Any] = {0: {}, 1: PROGRAMS, 2: {"people": 4, "agents": 1, "erased": 1, "told": 4}}[kind % 3]
    return Profile(
        6.0, 0.008, 0.003, 0.03, 0.005, blows=2, bad_receivers=kind % 2 == 0, clocks=kind % 3 == 0, poison=kind % 4 == 0,
        rebalances=kind % 3, late=0.02 * (kind % 2), given_up=0.01 * (kind % 2), **beside,
    )  # fmt: skip


class Faults:
    """Does it, until it is over."""

    def __init__(self, world: World, processes: Sequence[Process], profile: Profile) -> None:
        self.world, self.processes, self.profile = world, processes, profile
        self.chance, self.over = world.chance, False
        self.neighbours: set[int] = set()
        """Tenants who have nothing to do with what happens, and must not feel it."""
        self._back_at, self._off = 0.0, list[Process]()
        """Until when which processes are switched off."""
        self._favourite = self.chance.choice(POINTS)

    def begin(self) -> None:
        """From now on."""
        world, profile = self.world, self.profile
        world.at_failpoint = self._at_failpoint
        for database in world.databases:
            database.unknown, database.server.loses = profile.unknown, profile.loses
            database.server.late = profile.late
        world.kafka.server.loses, world.kafka.given_up = profile.loses, profile.given_up
        world.engine_database.in_time = profile.slow_saves
        world.log.keeps = Losing(world, profile.gone, profile.garbled)
        if profile.clocks:
            for process in self.processes:
                process.clock = self.chance.choice((0.0, 20.0, -20.0, 90.0))
        if profile.bad_receivers:
            self._spoil_receivers()

    def end(self) -> None:
        """Peace: whatever is left has to come now."""
        world, self.over = self.world, True
        world.at_failpoint = lambda point: None
        for server in (world.kafka.server, *(each.server for each in world.databases)):
            server.loses, server.late, server.down = 0.0, 0.0, False
        world.kafka.given_up = 0.0
        for database in world.databases:
            database.unknown, database.lacks_partition, database.full = 0.0, False, False
        world.log.refuses.clear()
        world.log.keeps = lambda topic, written: written
        for host in world.receivers.hosts.values():
            host.dead, host.seconds, host.fails, host.loses = False, 0.0, 0.0, 0.0
        for process in self.processes:
            process.start()

    async def strike(self, seconds: float) -> None:
        """Blows from outside, spread over so many seconds."""
        blows = [self.chance.choice(self._blows()) for _ in range(self.profile.blows)]
        blows += [self._postgres_blinks] * self.profile.blinks
        blows += [self._disk_full] * self.profile.full
        blows += [self._end_one] * self.profile.ends
        blows += [self._rebalance] * self.profile.rebalances
        for blow in blows:
            await asyncio.sleep(seconds / (len(blows) + 1) * self.chance.uniform(0.5, 1))
            blow()
        await asyncio.sleep(self._back_at - self.world.loop.time())  # Peace does not end an outage before its time.

    async def back_up(self, seconds: float) -> Backup | None:
        """Some time of the run, of the service whose database will be restored."""
        if self.profile.restored is None:
            return None
        await asyncio.sleep(seconds * self.chance.uniform(0.2, 0.9))
        self.world.trace(f"a backup of {self.profile.restored[0]} is made")
        return Backup(self.world, self.profile.restored[0])

    async def poison(self, crowd: Crowd, seconds: float) -> None:
        """Records that nobody can read, among those of the people."""
        for number in range(POISONED if self.profile.poison else 0):
            await asyncio.sleep(seconds / POISONED * self.chance.uniform(0.5, 1))
            crowd.spoil(self.chance.choice(BAD_RECORDS), number)

    def _blows(self) -> list[Callable[[], None]]:
        return [
            self._kafka_away,
            self._postgres_away,
            self._actions_refuse,
            self._stop_one,
            self._freeze_one,
            self._all_away,
            self._partition_missing,
        ]

    def _kafka_away(self) -> None:
        self._away(self.world.kafka.server, self.chance.uniform(1, 8))

    def _postgres_away(self) -> None:
        database = self.chance.choice(self.world.databases)
        database.stop()
        self._away(database.server, self.chance.uniform(1, 8))

    def _postgres_blinks(self) -> None:
        """The dispatcher's is away for less than a lease."""
        self.world.dispatcher_database.stop()
        self._away(self.world.dispatcher_database.server, self.chance.uniform(0.2, LEASE_SECONDS / 4))

    def _disk_full(self) -> None:
        database, seconds = self.chance.choice(self.world.databases), self.chance.uniform(1, 15)
        self.world.trace(f"{database.server.name} has no room for {seconds:.1f} s")
        database.full = True
        self.world.loop.later(seconds, setattr, database, "full", False)

    def _away(self, server, seconds: float) -> None:  # type: ignore[no-untyped-def]
        self.world.trace(f"{server.name} is away for {seconds:.1f} s")
        server.down = True
        self.world.loop.later(seconds, setattr, server, "down", False)

    def _partition_missing(self) -> None:
        self.world.trace("a partition of the engine's tables is missing")
        database = self.world.engine_database
        database.lacks_partition = True
        self.world.loop.later(self.chance.uniform(1, 8), setattr, database, "lacks_partition", False)

    def _actions_refuse(self) -> None:
        self.world.trace("actions take no writes")
        self.world.log.refuses.add(actions.TOPIC.name)
        self.world.loop.later(self.chance.uniform(2, 20), self.world.log.refuses.discard, actions.TOPIC.name)

    def _stop_one(self) -> None:
        process = self.chance.choice(self.processes)
        process.stop()
        self.world.loop.later(self.chance.uniform(1, 15), self._back, process)

    def _back(self, process: Process) -> None:
        """Unless it is switched off for longer."""
        if process not in self._off or self.world.loop.time() >= self._back_at:
            process.start()

    def _end_one(self) -> None:
        self.world.loop.create_task(self._anew(self.chance.choice(self.processes)))

    def _rebalance(self) -> None:
        """All let go of all that they have when they next ask whether they may keep it, and join again."""
        self.world.trace("the groups are divided anew")
        for group in self.world.kafka.groups.values():
            group.divide_anew()

    async def _anew(self, process: Process) -> None:
        await process.end()
        await asyncio.sleep(self.chance.uniform(0.1, 2))
        self._back(process)

    def _freeze_one(self) -> None:
        self.chance.choice(self.processes).freeze(self.chance.uniform(0.5, 2) * BEYOND)

    def _all_away(self) -> None:
        """Somebody switches everything off, and on again later; for hours the engines only, since what a dispatcher has taken
        over is worth sending for five minutes. Nobody does so while that is off: who came back first would be without the others."""
        if self.world.loop.time() < self._back_at:
            return
        hours = () if self.profile.bad_receivers else (400.0, 7200.0)  # A message for a dead host expires meanwhile.
        seconds = self.chance.choice((5.0, 60.0, *hours))
        off = self._off = list(self.processes if seconds < SHORT_SECONDS else self.processes[:ENGINES])
        self.world.trace(f"{', '.join(each.name for each in off)} are off for {seconds:.0f} s")
        self._back_at = self.world.loop.time() + seconds + 1.0
        for process in off:
            process.stop()
            self.world.loop.later(seconds + self.chance.random(), process.start)
        if seconds >= SHORT_SECONDS:
            self.world.loop.later(IDLE_SECONDS, self._idle_ones_off, self._back_at - IDLE_SECONDS)

    def _idle_ones_off(self, until: float) -> None:
        """Dispatchers that have nothing to do without engines are off, too: hours of looking for work in vain are most of
        what a run would cost."""
        loop = self.world.loop
        if loop.time() >= until:
            return
        if not judge.everything_is_sent(self.world):
            loop.later(IDLE_SECONDS, self._idle_ones_off, until)
            return
        for process in self.processes[ENGINES:]:
            process.stop()
            loop.later(until - loop.time(), process.start)

    def _spoil_receivers(self) -> None:
        """Each host of two tenants is slow, dead, failing or silent; the third is the neighbour of both."""
        troubled = self.chance.sample(range(TENANTS), TENANTS - 1)
        if self.profile == Profile(bad_receivers=True):
            self.neighbours = set(range(TENANTS)) - set(troubled)
        for tenant in troubled:
            for name in (bot_host(tenant), hook_host(tenant), api_host(tenant)):
                host = self.world.receivers.host(name)
                trouble = self.chance.choice(("slow", "dead", "failing", "silent"))
                self.world.trace(f"{name} is {trouble}")
                match trouble:
                    case "slow":
                        host.seconds = self.chance.uniform(0.5, 3)
                    case "dead":
                        host.dead = True
                    case "failing":
                        host.fails = self.chance.uniform(0.2, 1)
                    case "silent":
                        host.loses = self.chance.uniform(0.1, 0.5)

    def _at_failpoint(self, point: str) -> None:
        machine = MACHINE.get()
        process = next((each for each in self.processes if each.machine is machine), None)
        if process is None or self.over:
            return
        more = MORE if point.startswith(self._favourite) else 1
        if self.profile.kill and self.chance.random() < self.profile.kill * more:
            self.world.trace(f"at {point}:")
            process.kill()
        elif self.profile.freeze and self.chance.random() < self.profile.freeze * more:
            self.world.trace(f"at {point}:")
            process.freeze(self.chance.uniform(0.3, 2) * BEYOND)
