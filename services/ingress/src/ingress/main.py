"""Wires ingress together and runs it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator

from ingress.assembly import Ingress, build
from ingress.commands.bridge import Bridge
from ingress.settings import Settings
from servicekit.kafka.asker import Asker
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.observability.logging import configure_logging
from servicekit.observability.telemetry import configure_tracing, shutdown_tracing
from servicekit.registry_view.view import RegistryView
from servicekit.web.health import Health
from servicekit.web.server import serve

YOUNG_OBJECTS = 20_000
"""Objects between two collections of the youngest: a request makes some hundred and no cycles, so the default of 700
collects for nothing at every fifth request."""
STOP_CHECK_SECONDS = 0.25


def main() -> None:
    """Run until SIGTERM. Without its settings it does not start."""
    settings = Settings()
    configure_logging("ingress", settings.log_level)
    configure_tracing("ingress", settings)
    publisher = KafkaPublisher(settings.cluster, client_id=f"ingress-{settings.instance}")
    view = RegistryView(settings.cluster, client_id=f"ingress-view-{settings.instance}")
    asker = Asker(settings.cluster, settings.instance, publisher=publisher)
    ingress = build(settings, view, asker, publisher)

    @contextlib.asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 50)
        asker.subscribe(ingress.attachments.on_messages)
        await publisher.start()
        await view.start()
        await asker.start()
        ending = asyncio.create_task(_send_listeners_home(health, ingress), name="listeners")
        try:
            async with _bridging(settings, ingress, view, publisher):
                yield
        finally:
            ending.cancel()
            await ingress.intake.drained()
            await asker.stop()
            await view.stop()
            await publisher.stop()
            shutdown_tracing()

    # Ready does not mean that Kafka is there: ingress says so itself, with 503, and liveness must not end it for that.
    health = Health({
        "registry": lambda: None if view.ready else view.problem(),
        "replies": asker.problem,
    })  # fmt: skip
    serve(ingress.app, settings, lifespan, health=health)


async def _send_listeners_home(health: Health, ingress: Ingress) -> None:
    """Streams and long polls would hold back a graceful stop until they time out."""
    while not health.stopping:  # noqa: ASYNC110 (a plain flag, which the signal sets)
        await asyncio.sleep(STOP_CHECK_SECONDS)
    ingress.attachments.close()


@contextlib.asynccontextmanager
async def _bridging(
    settings: Settings, ingress: Ingress, view: RegistryView, publisher: KafkaPublisher
) -> AsyncIterator[None]:
    """The bridge beside the requests, from when the registry is known."""
    if not settings.bridge:
        yield
        return
    bridge = Bridge(
        settings.cluster,
        settings.instance,
        settings.session_timeout_seconds,
        ingress.commands,
        ingress.intake,
        publisher,
    )

    async def run() -> None:
        await view.wait_ready()
        await bridge.run()

    task = asyncio.create_task(run(), name="bridge")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
