"""Ingress's process: HTTP at once; the registry, the replies and the bridge as Kafka comes."""

from __future__ import annotations

import asyncio
import gc

from contracts import dlq
from contracts.topics import TOPICS
from ingress.assembly import build
from ingress.chat.session_reader import SessionReader
from ingress.commands.bridge import Bridge
from ingress.commands.project_bridge import ProjectBridge
from ingress.settings import Settings
from servicekit.kafka.asker import Asker
from servicekit.kafka.inside_aiokafka import missing_topics
from servicekit.kafka.inside_aiokafka.connections import refusal
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.process import Service, run
from servicekit.registry_view.view import RegistryView
from servicekit.web.health import Checks

SERVICE = "ingress"
UNUSED = ("agent", "api_call", "endpoint", "hook_url", "secret", "segment")
"""Kinds of entities that no request needs."""
YOUNG_OBJECTS = 20_000
"""Objects between two collections of the youngest: a request makes some hundred and no cycles, so the default of 700
collects for nothing at every fifth request."""


class IngressService(Service):
    """One replica of ingress."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.publisher = KafkaPublisher(settings.cluster, client_id=f"ingress-{settings.instance}")
        self.view = RegistryView(settings.cluster, client_id=f"ingress-view-{settings.instance}", without=UNUSED)
        self.asker = Asker(settings.cluster, settings.instance, publisher=self.publisher)
        # Of its own: what the bridge writes is not known before, and a producer that Kafka refuses fails all its records.
        self.bridge_publisher = KafkaPublisher(
            settings.cluster, client_id=f"ingress-bridge-{settings.instance}", rarely=[dlq.topic_for(SERVICE).name]
        )
        self.ingress = build(settings, self.view, self.asker, self.publisher)
        self.asker.subscribe(self.ingress.attachments.on_messages)
        self.sessions = SessionReader(settings.cluster, settings.instance, self.ingress.closed)
        self.bridge, self.project_bridge = self._bridges()
        self.app = self.ingress.app

    def checks(self) -> Checks:
        """The registry was known once and the replies are read. Kafka may be away: ingress says so itself, with 503."""
        return {
            "kafka": lambda: None if self.view.ready else refusal(),
            "registry": lambda: None if self.view.ready else self.view.problem(),
            "replies": self.asker.problem,
            "sessions": self.sessions.problem,
            "commands": self.bridge.problem,
            "topics": lambda: missing_topics.problem_of(self.settings.cluster, TOPICS),
        }

    def warnings(self) -> Checks:
        """Whose commands wait in a topic that is not read."""
        return {"project_topics": self.project_bridge.warning}

    async def work(self) -> None:
        """Read the registry, the closed sessions and the replies; take commands from Kafka, too, if this replica is a bridge."""
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, 20, 50)
        await self.publisher.start()
        await self.view.start()
        await self.asker.start()
        await self.sessions.start()
        await self.view.wait_ready()
        if self.settings.bridge:
            await self.bridge_publisher.start()
            async with asyncio.TaskGroup() as bridges:
                bridges.create_task(self.bridge.run())
                bridges.create_task(self.project_bridge.run())
        await asyncio.Event().wait()

    def stopping(self) -> None:
        """Streams and long polls would hold back a graceful stop until they time out."""
        self.ingress.attachments.close()

    async def close(self) -> None:
        """Have what was accepted written, then let go of Kafka."""
        await self.ingress.intake.drained()
        await self.asker.stop()
        await self.sessions.stop()
        await self.view.stop()
        await self.publisher.stop()
        await self.bridge_publisher.stop()

    def _bridges(self) -> tuple[Bridge, ProjectBridge]:
        settings = self.settings
        parts = (
            settings.cluster, settings.instance, settings.session_timeout_seconds,
            self.ingress.commands, self.ingress.intake, self.bridge_publisher,
        )  # fmt: skip
        return Bridge(*parts), ProjectBridge(*parts, self.view)


def main() -> None:
    """Run until SIGTERM."""
    run(SERVICE, Settings, IngressService)
