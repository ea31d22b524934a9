"""The processes: each is what its service's `main` wires together, on a machine that can be killed and frozen."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from types import SimpleNamespace
from typing import Any

from bench.chaos.faults import LEASE_SECONDS, SESSION_SECONDS

from contracts.groups import GROUPS
from contracts.ids import new_id
from dispatcher.assembly import assemble
from dispatcher.intake.actions_handler import ActionsHandler
from dispatcher.intake.decoding import ActionDecoder, DayWindow
from dispatcher.intake.events_handler import EventsHandler
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.main import Dispatcher
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import SendContext
from dispatcher.results.retention import keep_up_for_ever
from dispatcher.scheduling.replicas import Replicas
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from dispatcher.settings import Settings
from flow_engine.batch.broadcasting import Broadcasting
from flow_engine.batch.handler import EngineHandler
from flow_engine.batch.timers import Timers
from flow_engine.batch.waking import Waking
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.programs.deferring import Deferring
from flow_engine.programs.stepping import Event, Stepping
from flow_engine.programs.worker import StepWorker
from flowlang.model import Turn
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.batches import Batch, Commit, Connection
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.loop.readiness import problem_of
from simulation.database import Pool
from simulation.programs import Sandbox, Workers
from simulation.stores import Conversations, Deliveries
from simulation.tenants import KEK, KEYS
from simulation.virtual_loop import MACHINE, Machine
from simulation.world import LINKS, World
from support.workers_in_memory import WorkersInMemory

PARALLEL_BATCHES, CODE_WORKERS = 2, 8
RESTART_SECONDS = 1.0
GRACE_SECONDS = 60.0
"""How long who is told to end may take."""
CLUSTER = Cluster("simulated:9092")


class NoCopies:
    """Of installations in which no project has topics of its own."""

    def chosen(self, *_: object) -> dict[Any, Any]:
        return {}

    def beside(self, commit: Commit, _: object) -> Commit:
        return commit

    async def take(self, *_: object) -> None:
        """Nothing waits."""

    def leave(self, _: object) -> None:
        """Nothing waits."""


NO_COPIES: Any = NoCopies()
NO_SEGMENTS: Any = None
"""A broadcast here is to all people of its bot."""
SETTINGS = Settings(
    kafka=CLUSTER.servers, database="postgresql://no-database/none", admin_token="a" * 32, kek=KEK, instance="simulated",
    session_timeout_seconds=SESSION_SECONDS, lease_seconds=LEASE_SECONDS,
)  # type: ignore[arg-type]  # fmt: skip
"""Of each dispatcher; what is named after the instance is given its name."""


class Process:
    """A service's place: its present process, and the one that takes its place when that ends."""

    def __init__(self, world: World, name: str, work: Callable[[World, Process], Coroutine[Any, Any, None]]) -> None:
        self.world, self.name, self._work = world, name, work
        self.machine = Machine(name)
        self.machine.dead = True
        self.loops: list[PartitionLoop] = []
        self.drain: Callable[[], Coroutine[Any, Any, None]] = _nothing
        """What the service does when it is told to end, before its work is cancelled."""
        self._task: asyncio.Task[None] | None = None
        self.clock = 0.0
        self.wanted = False

    def start(self) -> None:
        """Whatever ends by itself is started again."""
        self.wanted = True
        if not self.machine.dead:
            return
        self.world.trace(f"{self.name} starts")
        self.machine, self.loops, self.drain = Machine(self.name), [], _nothing
        self.machine.clock = self.clock
        context = copy_context()
        context.run(MACHINE.set, self.machine)
        self._task = task = self.world.loop.create_task(self._work(self.world, self), context=context)
        self.world.machines.append(self.machine)
        task.add_done_callback(
            lambda done, machine=self.machine: self._ended(machine, done), context=self.world.loop.world
        )

    def _ended(self, machine: Machine, task: asyncio.Task[None]) -> None:
        if machine is not self.machine or machine.dead or task.cancelled():
            return
        self.world.crashed(self.name, task.exception())
        self.kill()

    def kill(self) -> None:
        """As SIGKILL; whoever supervises it starts another one."""
        if self.machine.dead:
            return
        self.world.trace(f"{self.name} dies")
        self.machine.dead, self.machine.frozen = True, False
        for each in self.world.databases:
            each.machine_died(self.machine)
        self.world.loop.later(RESTART_SECONDS, lambda: self.start() if self.wanted else None)

    def stop(self) -> None:
        """It is not there until somebody starts it."""
        self.wanted = False
        self.kill()

    async def end(self) -> bool:
        """As SIGTERM, which servicekit.process.run answers so: it finishes what is in hand. Whether it did; one that takes too
        long is killed."""
        if self.machine.dead or self._task is None:
            return False
        self.world.trace(f"{self.name} is told to end")
        self.wanted = False
        context = copy_context()
        context.run(MACHINE.set, self.machine)
        ending = self.world.loop.create_task(_ending(self.drain, self._task), context=context)
        done, _ = await asyncio.wait([ending], timeout=GRACE_SECONDS)
        ended = ending in done and not self.machine.dead
        self.kill()
        return ended

    def freeze(self, seconds: float) -> None:
        """As SIGSTOP, and SIGCONT after so long."""
        if self.machine.dead or self.machine.frozen:
            return
        self.world.trace(f"{self.name} freezes for {seconds:.1f} s")
        self.machine.frozen = True
        self.world.loop.later(seconds, self._thaw, self.machine)

    def _thaw(self, machine: Machine) -> None:
        if not machine.dead and machine.frozen:
            self.world.trace(f"{self.name} goes on")
            self.world.loop.go_on(machine)

    def problem(self) -> str | None:
        """What its readiness says."""
        return "it is not there" if self.machine.dead else problem_of(self.loops)


async def _nothing() -> None:
    """It has not come far enough to have anything in hand."""


async def _ending(drain: Callable[[], Coroutine[Any, Any, None]], work: asyncio.Task[None]) -> None:
    await drain()
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)


class Watched(EngineHandler):
    """Says where a partition begins anew while a batch of it is being applied: what that batch forgets of turns that wait is
    forgotten after it was read, and the batch is then fenced. Mostly the next one reads it again; where not, nobody wakes them."""

    def __init__(self, begun_early: Callable[[str], None], *about: Any) -> None:
        super().__init__(*about)
        self._begun_early, self._in_hand = begun_early, Counter[int]()

    async def apply(self, batch: Batch) -> Commit:
        partitions = Counter({record.partition for record in batch.records})
        self._in_hand += partitions
        try:
            return await super().apply(batch)
        finally:
            self._in_hand -= partitions

    async def on_assigned(self, partitions: set[int], connection: Connection) -> None:
        await super().on_assigned(partitions, connection)
        for partition in partitions & set(self._in_hand):
            self._begun_early(f"partition {partition} begins anew while a batch of it is in hand")


class Failing(Stepping):
    """Of a release with a fault in every turn."""

    def at_once(self, event: Event) -> Turn | None:
        raise ZeroDivisionError("a fault of this release")


async def engine(world: World, process: Process) -> None:
    """What flow_engine.main wires together."""
    pool: Any = Pool(world.engine_database)
    store: Any = Conversations(pool, world.conversations, world.note_held)
    release = Failing if world.bad_release else Stepping
    stepping = release(
        Sandbox(world), Workers(world, StepWorker(LINKS), 2 * PARALLEL_BATCHES), code_at_once=CODE_WORKERS
    )
    deferring = Deferring(stepping)
    catalogue = RegistryCatalogue(world.view, LINKS)
    handler = Watched(world.begun_early.append, store, catalogue, deferring)
    loop = PartitionLoop(
        handler, cluster=CLUSTER, group="flow-engine", service="flow-engine", instance=process.name, pool=pool,
        session_timeout=SESSION_SECONDS, parallel_batches=PARALLEL_BATCHES,
    )  # fmt: skip
    process.loops.append(loop)
    process.drain = loop.close
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(loop.run())
        tasks.create_task(Timers(loop, store).run())
        tasks.create_task(Waking(loop, deferring).run())
        if world.broadcasts:
            owner = f"{process.name}/{new_id()}"
            tasks.create_task(Broadcasting(loop, pool, catalogue, NO_SEGMENTS, owner, list).run())


async def dispatcher(world: World, process: Process) -> None:
    """What dispatcher.main wires together."""
    settings, name, loops = SETTINGS, process.name, process.loops
    pool: Any = Pool(world.dispatcher_database)
    publisher = KafkaPublisher(CLUSTER, client_id=name)
    await publisher.start()
    store: Any = Deliveries(pool, world.deliveries)
    context = SendContext(Catalogue(world.view, KEYS), programs.not_yet, settings.longest_request)
    played = Programs(WorkersInMemory(lambda: programs.make(None)))
    due, partitioned = asyncio.Event(), asyncio.Event()
    http: Any = world.receivers
    works = assemble(settings, DELIVERY_KINDS, context, played, due, store, publisher, http)
    days = DayWindow(settings.retention_days)
    handlers = (
        ActionsHandler(store, works.takeover, days, ActionDecoder(DELIVERY_KINDS.values())),
        EventsHandler(works.takeover, days, world.view, played, NO_COPIES),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(works.pulse.run())
        tasks.create_task(keep_up_for_ever(store, settings.retention_days, first=partitioned))
        await partitioned.wait()
        loops += [
            PartitionLoop(
                handler, cluster=CLUSTER, group=GROUPS["dispatcher"][handler.topic], service="dispatcher", instance=name,
                pool=pool, publisher=publisher, session_timeout=SESSION_SECONDS, progress=store.age,
            )
            for handler in handlers
        ]  # fmt: skip
        at_work = [tasks.create_task(loop.run()) for loop in loops]
        told: Any = SimpleNamespace(settings=settings, loops=loops, _works=works, _loops_at_work=at_work, _copier=None)
        process.drain = lambda: Dispatcher.drain(told)
        for loop in loops:
            await loop.begun()
        for work in (Replicas(store, works.destinations, name).run(), works.recorder.run(), works.claims.run()):
            tasks.create_task(work)
