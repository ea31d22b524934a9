"""The dispatcher's process: HTTP at once, the rest as Postgres, the registry and Kafka come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import structlog

from dispatcher.intake import actions_handler, events_handler
from dispatcher.intake.actions_handler import ActionsHandler
from dispatcher.intake.decoding import DayWindow
from dispatcher.intake.events_handler import EventsHandler
from dispatcher.intake.takeover import Takeover
from dispatcher.results.recorder import Recorder
from dispatcher.results.retention import keep_up_for_ever
from dispatcher.scheduling.claims import Claims
from dispatcher.scheduling.destinations import Lanes
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.scheduling.replicas import Replicas
from dispatcher.sending.catalogue import Catalogue
from dispatcher.sending.rendering import render
from dispatcher.sending.request_maker import RequestMaker
from dispatcher.sending.sender import Sender
from dispatcher.settings import Settings
from dispatcher.store.queues import Queues
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
"""What a subscription's webhook may wait for company while events keep coming."""

log = structlog.get_logger()


class Dispatcher:
    """Everything one process has. `run` works until it is cancelled or cannot go on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.view = RegistryView(settings.cluster)
        self.authoriser = Authoriser(self.view, settings.admin_token)
        self.loops: list[PartitionLoop] = []
        self.claims: Claims | None = None
        self._catalogue = Catalogue(self.view, KeyRing(settings.kek))
        self.view.on_change(lambda kind, id, _: self._catalogue.forget(kind, id))
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._lanes: Lanes | None = None
        self._recorder: Recorder | None = None

    def _handlers(self, takeover: Takeover, holdings: Holdings, lanes: Lanes) -> dict[str, Handler]:
        """By the name of their topic."""
        days = DayWindow(self.settings.retention_days)
        return {
            actions_handler.NAME: ActionsHandler(takeover, holdings, lanes, days),
            events_handler.NAME: EventsHandler(takeover, holdings, lanes, days, self.view),
        }

    @property
    def pool(self) -> asyncpg.Pool[asyncpg.Record]:
        """Raises ProblemError 503 before Postgres was there for the first time."""
        if self._pool is None:
            raise unavailable("The database is not there yet.")
        return self._pool

    def wake(self) -> None:
        """Something became due."""
        if self.claims is not None:
            self.claims.wake()

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
        lease = settings.lease_seconds
        pulse, queues = Pulse(settings.session_timeout_seconds / 2), Queues(pool)
        holdings = Holdings(pulse, lease)
        maker = RequestMaker(self._catalogue, render, settings.longest_request)
        sender = Sender(http, maker, settings.longest_request, holdings.still_ours)
        recorder = self._recorder = Recorder(pool, publisher, queues, holdings, lease_seconds=lease)
        lanes = self._lanes = recorder.lanes = Lanes(
            sender.attempt, recorder.add, maker.limits, most=settings.max_in_flight, starved=self.wake
        )
        takeover = Takeover(
            pool, lanes, queues, recorder.check, lease_seconds=lease, first_attempts=settings.first_attempts
        )
        self.claims = Claims(pool, lanes, holdings, recorder, lease_seconds=lease)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pulse.run())
            tasks.create_task(keep_up_for_ever(pool, settings.retention_days, first=partitioned))
            await partitioned.wait()
            await self.view.wait_ready()
            tasks.create_task(recorder.run())
            replicas = Replicas(pool, lanes, settings.instance)
            self.view.on_change(replicas.changed)
            tasks.create_task(replicas.run())
            handlers = self._handlers(takeover, holdings, lanes)
            self.loops = [self._loop(name, handler, pool, publisher) for name, handler in handlers.items()]
            for loop in self.loops:
                tasks.create_task(loop.run())
            tasks.create_task(self.claims.run())

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
        if self._lanes is not None and self._recorder is not None:
            await self._lanes.drained(self.settings.drain_seconds / 2)
            await self._recorder.drained(self.settings.drain_seconds / 2)

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
