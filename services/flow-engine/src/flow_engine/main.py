"""The flow engine's process: HTTP at once, the rest as Postgres, the registry and Kafka come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import structlog

from contracts.registry import Trigger
from flow_engine.batch.handler import EngineHandler
from flow_engine.batch.timers import Timers
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.settings import Settings
from flow_engine.store import log_partitions
from flow_engine.store.postgres import PostgresConversations
from flow_engine.turn.sandbox import Sandbox
from flow_engine.web.routes import make_app
from servicekit.credentials.links import LinkKeys
from servicekit.database import connect
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.observability.logging import configure_logging
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing
from servicekit.registry_view.view import RegistryView
from servicekit.web.auth import Authoriser
from servicekit.web.health import Health
from servicekit.web.problems import unavailable
from servicekit.web.server import serve, stop_process

SERVICE = "flow-engine"
SCHEMA = "flow_engine"

log = structlog.get_logger()


class Engine:
    """Everything one process has. `run` works until it is cancelled or cannot go on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.view = RegistryView(settings.cluster)
        self.authoriser = Authoriser(self.view, settings.admin_token)
        self.loop: PartitionLoop | None = None
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._store: PostgresConversations | None = None
        keys = LinkKeys(settings.link_key) if settings.link_key else None
        self.catalogue = RegistryCatalogue(
            self.view, LinkMaker(keys, settings.public_url), compiled_flows=settings.compiled_flows
        )

    @property
    def store(self) -> PostgresConversations:
        """Raises ProblemError 503 before Postgres was there for the first time."""
        if self._store is None:
            raise unavailable("The database is not there yet.")
        return self._store

    def trigger(self, trigger_id: str) -> Trigger | None:
        """A trigger by id."""
        found: Trigger | None = self.view.get("trigger", trigger_id)
        return found

    async def run(self) -> None:
        """Apply events and fire timers."""
        settings = self.settings
        await self.view.start()
        self._pool = pool = await connect(settings, SCHEMA)
        self._store = store = PostgresConversations(pool)
        logs = log_partitions.logs(settings.chat_log_days, settings.event_log_days)
        async with Sandbox(settings.code_workers) as sandbox:
            handler = EngineHandler(store, self.catalogue, sandbox, compute_budget=settings.compute_budget_ms / 1000)
            try:
                await self._work(pool, handler, logs)
            finally:
                await store.close()

    async def _work(
        self, pool: asyncpg.Pool[asyncpg.Record], handler: EngineHandler, logs: tuple[log_partitions.Log, ...]
    ) -> None:
        settings, partitioned = self.settings, asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(log_partitions.keep_up_for_ever(pool, logs, first=partitioned))
            await partitioned.wait()
            await self.view.wait_ready()
            self.loop = PartitionLoop(
                handler,
                cluster=settings.cluster,
                group=SERVICE,
                service=SERVICE,
                instance=settings.instance,
                pool=pool,
                session_timeout=settings.session_timeout_seconds,
                max_records=settings.max_records,
                parallel_batches=settings.parallel_batches,
            )
            tasks.create_task(self.loop.run())
            tasks.create_task(Timers(self.loop, self.store).run())

    async def close(self) -> None:
        """Let go of what `run` opened."""
        await self.view.stop()
        if self._pool is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._pool.close(), 5)

    def checks(self) -> Health:
        """Ready: the registry is known, and every partition that is ours can go on."""
        return Health({"registry": self._registry_problem, "partitions": self._loop_problem})

    def _registry_problem(self) -> str | None:
        return self.view.problem()

    def _loop_problem(self) -> str | None:
        return self.loop.problem() if self.loop else "waiting for Postgres and the registry"


@contextlib.asynccontextmanager
async def _running(engine: Engine) -> AsyncIterator[None]:
    """Work in the background; if that ends by itself, so does the process."""
    work = asyncio.create_task(engine.run(), name="engine")
    work.add_done_callback(lambda done: None if done.cancelled() else stop_process())
    try:
        yield
        if engine.loop is not None:
            await engine.loop.close()
    finally:
        work.cancel()
        result = await asyncio.gather(work, return_exceptions=True)
        await engine.close()
        shutdown_tracing()
    if isinstance(result[0], Exception):
        log.error("engine.ended", error=repr(result[0]))
        raise result[0]


def main() -> None:
    """Run until SIGTERM."""
    settings = Settings()
    configure_logging(SERVICE, settings.log_level)
    configure_tracing(SERVICE, settings)
    engine = Engine(settings)
    serve(make_app(engine), settings, lambda: _running(engine), health=engine.checks())
