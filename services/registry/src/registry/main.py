"""Wires the registry together: the API, the relay with its tail, the asker, and the loop over findings."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import structlog

from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.kafka.findings_handler import GROUP, FindingsHandler
from registry.publishing.relay import Relay
from registry.settings import Settings
from registry.site import Site
from registry.store.database import Database
from registry.web.api import Api
from registry.web.app import build_app
from registry.writing.topic_tail import TopicTail
from registry.writing.writes import Writes
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.kafka.asker import Asker
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.observability.logging import configure_logging
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing
from servicekit.web.health import Health
from servicekit.web.server import serve, stop_process

SERVICE = "registry"

log = structlog.get_logger()


class Registry:
    """One process's parts. `app` is served while `running` is entered."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.health = settings, Health()
        self.site = Site(settings.public_url, KeyRing(settings.kek), LinkKeys(settings.link_key))
        self.database = Database()
        self.tail = TopicTail(settings.cluster)
        self.publisher = KafkaPublisher(settings.cluster, client_id=f"{SERVICE}-{settings.instance}")
        self.asker = Asker(settings.cluster, settings.instance)
        writes = Writes(self.database, self.tail, self.site)
        api = Api(self.database, writes, self.site, settings.admin_token)
        self.app = build_app(api, DispatcherCalls(self.asker, self.publisher))
        self.health.checks["database"] = self.database.problem

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything that works in the background; one part that ends by itself ends the process."""
        configure_tracing(SERVICE, self.settings)
        await self.publisher.start()
        await self.asker.start()
        tasks = [_watched("tail", self.tail.run()), _watched("work", self._work())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.asker.stop()
            await self.publisher.stop()
            await self.database.close()
            shutdown_tracing()

    async def _work(self) -> None:
        """What needs Postgres: the relay and the loop over findings."""
        pool = await self.database.connect(self.settings)
        relay = Relay(pool, self.settings.cluster, self.tail)
        loop = PartitionLoop(
            FindingsHandler(self.site),
            cluster=self.settings.cluster,
            group=GROUP,
            service=SERVICE,
            instance=self.settings.instance,
            pool=pool,
            session_timeout=self.settings.session_timeout_seconds,
        )
        self.health.checks |= {"relay": relay.problem, "findings": loop.problem}
        async with asyncio.TaskGroup() as group:
            group.create_task(relay.run())
            group.create_task(loop.run())


def _watched(name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Run it; if it ends by itself, the process ends and a new one begins."""

    def on_end(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error("registry.part_ended", part=name, exc_info=task.exception())
            stop_process()

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(on_end)
    return task


def main() -> None:
    settings = Settings()
    configure_logging(SERVICE, settings.log_level)
    parts = Registry(settings)
    serve(parts.app, settings, parts.running, health=parts.health)
