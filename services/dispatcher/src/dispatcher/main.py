"""The dispatcher's process: HTTP at once, the rest as Postgres, the registry and Kafka come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import structlog

from dispatcher.assembly import Works, assemble
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
from dispatcher.sending.rendering import render
from dispatcher.settings import Settings
from dispatcher.store.postgres import PostgresDeliveries
from dispatcher.web.routes import make_app
from servicekit.credentials.sealing import KeyRing
from servicekit.database import connect
from servicekit.http_client.guarded_http import GuardedClient
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.partition_loop import Handler, PartitionLoop
from servicekit.observability.logging import configure_logging
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing
from servicekit.registry_view.view import RegistryView
from servicekit.web.auth import Authoriser
from servicekit.web.health import Health
from servicekit.web.problems import unavailable
from servicekit.web.server import serve, stop_process

SERVICE = "dispatcher"
SCHEMA = "dispatcher"
CONNECTIONS_PER_HOST = 256
"""The most that an endpoint may ask for (contracts.registry)."""

EVENTS_PATIENCE_MS = 20
"""What a subscription's webhook may wait for others while events keep coming."""

log = structlog.get_logger()


class Dispatcher:
    """Everything one process has. `run` works until it is cancelled or cannot go on."""

    def __init__(self, settings: Settings, kinds: Kinds = DELIVERY_KINDS) -> None:
        self.settings, self.kinds = settings, kinds
        self.view = RegistryView(settings.cluster)
        self.authoriser = Authoriser(self.view, settings.admin_token)
        self.loops: list[PartitionLoop] = []
        self._catalogue = Catalogue(self.view, KeyRing(settings.kek))
        self.view.on_change(lambda kind, id, _: self._catalogue.forget(kind, id))
        self._due = asyncio.Event()
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._works: Works | None = None

    def _handlers(self, takeover: Takeover) -> dict[str, Handler]:
        """By the name of their topic."""
        days = DayWindow(self.settings.retention_days)
        return {
            actions_handler.NAME: ActionsHandler(takeover, days, ActionDecoder(self.kinds.values())),
            events_handler.NAME: EventsHandler(takeover, days, self.view),
        }

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """Raises ProblemError 503 before Postgres was there for the first time."""
        if self._pool is None:
            raise unavailable("The database is not there yet.")
        return self._pool

    def wake(self) -> None:
        """Something became due."""
        self._due.set()

    async def run(self) -> None:
        """Take over actions and events, and deliver."""
        settings = self.settings
        await self.view.start()
        self._pool = pool = await connect(settings, SCHEMA)
        publisher = KafkaPublisher(settings.cluster, client_id=f"{SERVICE}-{settings.instance}")
        await publisher.start()
        try:
            async with GuardedClient(settings.allowed_networks, per_host=CONNECTIONS_PER_HOST) as http:
                await self._work(pool, publisher, http)
        finally:
            await publisher.stop()

    async def _work(self, pool: asyncpg.Pool[asyncpg.Record], publisher: KafkaPublisher, http: GuardedClient) -> None:
        settings, partitioned = self.settings, asyncio.Event()
        store = PostgresDeliveries(pool, self.kinds)
        context = SendContext(self._catalogue, render, settings.longest_request)
        works = self._works = assemble(settings, self.kinds, context, self._due, store, publisher, http)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(works.pulse.run())
            tasks.create_task(keep_up_for_ever(store, settings.retention_days, first=partitioned))
            await partitioned.wait()
            await self.view.wait_ready()
            tasks.create_task(works.recorder.run())
            replicas = Replicas(store, works.destinations, settings.instance)
            self.view.on_change(replicas.changed)
            tasks.create_task(replicas.run())
            handlers = self._handlers(works.takeover)
            self.loops = [self._loop(name, handler, pool, publisher) for name, handler in handlers.items()]
            for loop in self.loops:
                tasks.create_task(loop.run())
            tasks.create_task(works.claims.run())

    def _loop(
        self, name: str, handler: Handler, pool: asyncpg.Pool[asyncpg.Record], publisher: KafkaPublisher
    ) -> PartitionLoop:
        return PartitionLoop(
            handler,
            cluster=self.settings.cluster,
            group=f"{SERVICE}-{name}",
            service=SERVICE,
            instance=self.settings.instance,
            pool=pool,
            publisher=publisher,
            session_timeout=self.settings.session_timeout_seconds,
            patience_ms=EVENTS_PATIENCE_MS if name == events_handler.NAME else 0,
        )

    async def drain(self) -> None:
        """Take nothing more over; finish what is on the wire and save it."""
        for loop in self.loops:
            await loop.close()
        if self._works is not None:
            await self._works.destinations.drained(self.settings.drain_seconds / 2)
            await self._works.recorder.drained(self.settings.drain_seconds / 2)

    async def close(self) -> None:
        """Let go of what `run` opened."""
        await self.view.stop()
        if self._pool is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pool.close(), 5)

    def checks(self) -> Health:
        """Ready: the registry is known, and every partition that is ours can go on."""
        return Health({"registry": self.view.problem, "partitions": self._loops_problem})

    def _loops_problem(self) -> str | None:
        if not self.loops:
            return "waiting for Postgres and the registry"
        return next((problem for loop in self.loops if (problem := loop.problem())), None)


@contextlib.asynccontextmanager
async def _running(dispatcher: Dispatcher) -> AsyncIterator[None]:
    """Work in the background; if that ends by itself, so does the process."""
    work = asyncio.create_task(dispatcher.run(), name="dispatcher")
    work.add_done_callback(lambda done: None if done.cancelled() else stop_process())
    try:
        yield
        await dispatcher.drain()
    finally:
        work.cancel()
        result = await asyncio.gather(work, return_exceptions=True)
        await dispatcher.close()
        shutdown_tracing()
    if isinstance(result[0], Exception):
        log.error("dispatcher.ended", error=repr(result[0]))
        raise result[0]


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    configure_logging(SERVICE, settings.log_level)
    configure_tracing(SERVICE, settings)
    dispatcher = Dispatcher(settings)
    serve(make_app(dispatcher), settings, lambda: _running(dispatcher), health=dispatcher.checks())
