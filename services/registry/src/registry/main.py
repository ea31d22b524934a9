"""Wires the registry together: the API, the relay with its tail, the asker, and the loop over findings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from contracts import dlq
from contracts.groups import GROUPS
from registry.checking.checks import AT_ONCE, Checks
from registry.checking.tasks import TARGET
from registry.kafka.channel_checks import ChannelChecks
from registry.kafka.dead_letters import DeadLetters
from registry.kafka.dispatcher_calls import DispatcherCalls
from registry.kafka.findings_handler import FindingsHandler
from registry.kafka.new_address import NewAddress
from registry.publishing.relay import Relay
from registry.settings import Settings
from registry.site import Site
from registry.store.postgres import SCHEMA
from registry.web.api import Api
from registry.web.app import build_app
from registry.writing.topic_tail import TopicTail
from registry.writing.writes import Writes
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.database import Database
from servicekit.kafka.asker import Asker
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.process import Service, run
from servicekit.registry_view.stack_id import StackId
from servicekit.web import health
from servicekit.workers.pool import WorkerPool

SERVICE = "registry"


class Registry(Service):
    """One registry."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.database = settings, Database.of(settings, SCHEMA)
        self._workers = WorkerPool(TARGET, most=AT_ONCE)
        checks = Checks(self._workers)
        self.site = Site(
            settings.public_url, KeyRing(settings.kek), LinkKeys(settings.link_key), settings.limits, checks,
            topic_prefix=settings.topic_prefix,
        )  # fmt: skip
        self.tail = TopicTail(settings.cluster)
        self.stack = StackId(lambda: self.tail.stack_id, makes=True)
        self.publisher = KafkaPublisher(
            settings.cluster, client_id=f"{SERVICE}-{settings.instance}", rarely=[dlq.topic_for(SERVICE).name]
        )
        self.asker = Asker(settings.cluster, settings.instance)
        self._at_work: dict[str, Callable[[], str | None]] = {}
        writes = Writes(self.database, self.tail, self.site)
        api = Api(self.database, writes, self.site, settings.admin_token)
        calls = DispatcherCalls(self.asker, self.publisher)
        self._channel_checks = ChannelChecks(writes, calls, self.site)
        self._new_address: NewAddress | None = None
        self.app = build_app(
            api,
            calls,
            DeadLetters(settings.cluster, self.publisher, settings.instance),
        )

    def checks(self) -> health.Checks:
        """Postgres was reached and is migrated. Kafka may be away: writes are then answered as pending."""
        return {
            "database": self.database.problem,
            "stack": self.stack.problem,
        } | {part: partial(self._problem_of, part) for part in ("relay", "findings")}

    def warnings(self) -> health.Checks:
        """Platforms that call an address of before."""
        return {"public_url": lambda: self._new_address.problem() if self._new_address is not None else None}

    async def work(self) -> None:
        """Follow the topic; once it is known to be ours, publish and take findings over."""
        await self.publisher.start()
        await self.asker.start()
        async with self._workers, asyncio.TaskGroup() as tasks:
            self._workers.warm()
            tasks.create_task(self.tail.run())
            pool = await self.database.connect(self.settings)
            await self.tail.read()
            await self.stack.settle(pool)
            relay = Relay(pool, self.settings.cluster, self.tail, self.site.keys)
            loop = PartitionLoop(
                FindingsHandler(self.site),
                cluster=self.settings.cluster,
                group=GROUPS[SERVICE][FindingsHandler.topic],
                service=SERVICE,
                instance=self.settings.instance,
                pool=pool,
                session_timeout=self.settings.session_timeout_seconds,
            )
            self._at_work = {"relay": relay.problem, "findings": loop.problem}
            self._new_address = NewAddress(pool, self._channel_checks, self.settings.public_url, lambda: relay.leading)
            for part in (self.stack.keep(pool), relay.run(), loop.run(), self._new_address.run()):
                tasks.create_task(part)

    async def close(self) -> None:
        """Let go of Kafka and the database."""
        await self.asker.stop()
        await self.publisher.stop()
        await self.database.close()

    def _problem_of(self, part: str) -> str | None:
        check = self._at_work.get(part)
        if check is not None:
            return check()
        # While Kafka is away nothing is published, and still the registry is ready: writes are answered as pending.
        return "is not at work yet" if self.tail.readings else None


def main() -> None:
    """Run until SIGTERM."""
    run(SERVICE, Settings, Registry)
