"""The dispatcher's process: HTTP at once, the rest as PostgreSQL, the registry and Kafka come."""

from __future__ import annotations

import asyncio

from contracts import dlq
from contracts.groups import GROUPS
from dispatcher.assembly import Works, assemble
from dispatcher.copies.chosen import Copies
from dispatcher.copies.copier import Copier
from dispatcher.copies.events_log import EventsLog
from dispatcher.copies.topic_writer import TopicWriter
from dispatcher.intake import actions_handler, events_handler
from dispatcher.intake.actions_handler import ActionsHandler
from dispatcher.intake.decoding import ActionDecoder, DayWindow
from dispatcher.intake.events_handler import EventsHandler
from dispatcher.intake.takeover import Takeover
from dispatcher.kinds.table import DELIVERY_KINDS, Kinds
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import SendContext
from dispatcher.results.retention import keep_up_for_ever
from dispatcher.scheduling.replicas import Replicas
from dispatcher.sending import programs
from dispatcher.sending.programs import Programs
from dispatcher.settings import Settings
from dispatcher.store.postgres import PostgresDeliveries
from dispatcher.web.routes import make_app
from servicekit.credentials.sealing import KeyRing
from servicekit.database import Database, Pool
from servicekit.http_client.guarded_http import GuardedClient
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.partition_loop import Handler, PartitionLoop
from servicekit.loop.readiness import problem_of
from servicekit.process import Service, run
from servicekit.registry_view.stack_id import StackId
from servicekit.registry_view.view import RegistryView
from servicekit.web.auth import Authoriser
from servicekit.web.health import Checks
from servicekit.workers.pool import WorkerPool

SERVICE = "dispatcher"
SCHEMA = "dispatcher"
UNUSED = ("agent", "flow", "flow_version", "hook_url", "segment", "trigger")
"""Kinds of entities that no delivery needs."""
CONNECTIONS_PER_HOST = 256
"""The most that an endpoint may ask for (contracts.registry)."""

EVENTS_PATIENCE_MS = 20
"""What a subscription's webhook may wait for others while events keep coming."""


class Dispatcher(Service):
    """One dispatcher."""

    def __init__(self, settings: Settings, kinds: Kinds = DELIVERY_KINDS) -> None:
        self.settings, self.kinds, self.database = settings, kinds, Database.of(settings, SCHEMA)
        self.view = RegistryView(settings.cluster, without=UNUSED)
        self.authoriser = Authoriser(self.view, settings.admin_token)
        self.stack = StackId(lambda: self.view.stack_id)
        self.loops: list[PartitionLoop] = []
        self._loops_at_work: list[asyncio.Task[None]] = []
        self._catalogue = Catalogue(self.view, KeyRing(settings.kek))
        self.view.on_change(lambda kind, id, _: self._catalogue.forget(kind, id))
        self._due = asyncio.Event()
        self._works: Works | None = None
        self._copier: Copier | None = None
        self._workers = WorkerPool(programs.TARGET, most=programs.MOST_WORKERS)
        self._programs = Programs(self._workers)
        self.app = make_app(self)

    def _handlers(self, store: PostgresDeliveries, takeover: Takeover, copier: Copier) -> dict[str, Handler]:
        """By the name of their topic."""
        days = DayWindow(self.settings.retention_days)
        return {
            actions_handler.NAME: ActionsHandler(store, takeover, days, ActionDecoder(self.kinds.values())),
            events_handler.NAME: EventsHandler(takeover, days, self.view, self._programs, Copies(self.view, copier)),
        }

    @property
    def pool(self) -> Pool:
        """Raises ProblemError 503 before the database was there for the first time."""
        return self.database.pool

    def wake(self) -> None:
        """Something became due."""
        self._due.set()

    def checks(self) -> Checks:
        """Postgres is migrated, the registry known and ours, and every partition that we have can go on."""
        return {
            "database": self.database.problem,
            "registry": self.view.problem,
            "stack": self.stack.problem,
            "partitions": self._problem_of_loops,
        }

    def warnings(self) -> Checks:
        """Whose events wait for a topic of their own."""
        return {"copies": lambda: self._copier.problem() if self._copier is not None else None}

    async def work(self) -> None:
        """Take over actions and events, and deliver."""
        settings = self.settings
        await self.view.start()
        pool = await self.database.connect(settings)
        await self.view.wait_ready()
        await self.stack.settle(pool)
        publisher = KafkaPublisher(
            settings.cluster, client_id=f"{SERVICE}-{settings.instance}", rarely=[dlq.topic_for(SERVICE).name]
        )
        await publisher.start()
        writer = TopicWriter(settings.cluster, f"{SERVICE}-copies-{settings.instance}")
        log = EventsLog(settings.cluster, f"{SERVICE}-copies-{settings.instance}")
        self._copier = Copier(pool, log, writer)
        try:
            async with self._workers, GuardedClient(settings.allowed_networks, per_host=CONNECTIONS_PER_HOST) as http:
                await self._deliver(pool, publisher, http, self._copier)
        finally:
            await publisher.stop()
            await writer.stop()

    async def _deliver(self, pool: Pool, publisher: KafkaPublisher, http: GuardedClient, copier: Copier) -> None:
        settings, partitioned = self.settings, asyncio.Event()
        store = PostgresDeliveries(pool, self.kinds)
        context = SendContext(self._catalogue, programs.not_yet, settings.longest_request)
        works = self._works = assemble(
            settings, self.kinds, context, self._programs, self._due, store, publisher, http
        )  # fmt: skip
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(works.pulse.run())
            tasks.create_task(keep_up_for_ever(store, settings.retention_days, first=partitioned))
            await partitioned.wait()
            tasks.create_task(self.stack.keep(pool))
            tasks.create_task(copier.run())
            handlers = self._handlers(store, works.takeover, copier)
            self.loops = [self._loop(name, handler, pool, publisher, store) for name, handler in handlers.items()]
            self._loops_at_work = [tasks.create_task(loop.run()) for loop in self.loops]
            for loop in self.loops:
                await loop.begun()
            replicas = Replicas(store, works.destinations, settings.instance)
            self.view.on_change(replicas.changed)
            for work in (replicas.run(), works.recorder.run(), works.claims.run()):
                tasks.create_task(work)

    def _loop(
        self, name: str, handler: Handler, pool: Pool, publisher: KafkaPublisher, store: PostgresDeliveries
    ) -> PartitionLoop:
        return PartitionLoop(
            handler,
            cluster=self.settings.cluster,
            group=GROUPS[SERVICE][handler.topic],
            service=SERVICE,
            instance=self.settings.instance,
            pool=pool,
            publisher=publisher,
            session_timeout=self.settings.session_timeout_seconds,
            patience_ms=EVENTS_PATIENCE_MS if name == events_handler.NAME else 0,
            progress=store.age,
        )

    async def drain(self) -> None:
        """Take nothing more over; finish what is on the wire and save it."""
        for loop in self.loops:
            await loop.close()
        if self._works is not None:
            self._works.destinations.end_stretches()
            await self._works.destinations.drained(self.settings.drain_seconds / 2)
            await self._works.recorder.drained(self.settings.drain_seconds / 2)
        if self._loops_at_work:  # Cancelled before they have ended, they could not save and commit where they are.
            await asyncio.wait(self._loops_at_work, timeout=self.settings.drain_seconds / 2)
        if self._copier is not None:
            await self._copier.drained(self.settings.drain_seconds / 4)

    async def close(self) -> None:
        """Let go of the registry and the database."""
        await self.view.stop()
        await self.database.close()

    def _problem_of_loops(self) -> str | None:
        return problem_of(self.loops)


def main() -> None:
    """Run until SIGTERM."""
    run(SERVICE, Settings, Dispatcher)
