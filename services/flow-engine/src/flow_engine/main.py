"""The flow engine's process: HTTP at once, the rest as Postgres, the registry and Kafka come."""

from __future__ import annotations

import asyncio

from contracts import dlq
from contracts.groups import GROUPS
from contracts.ids import new_id
from contracts.registry import Agent, Bot, Channel, Project, Segment, Token, Trigger
from flow_engine.batch.broadcasting import Broadcasting
from flow_engine.batch.handler import EngineHandler
from flow_engine.batch.migrating import Migrating
from flow_engine.batch.retiring import Retiring
from flow_engine.batch.scheduling import Scheduling
from flow_engine.batch.timers import Timers
from flow_engine.batch.waking import Waking
from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.programs import worker
from flow_engine.programs.deferring import Deferring
from flow_engine.programs.stepping import Stepping
from flow_engine.segments import walker
from flow_engine.segments.members import Segments, segment_of
from flow_engine.settings import Settings
from flow_engine.simulating import worker as simulating
from flow_engine.simulating.simulator import Simulator
from flow_engine.state.pseudonyms import Pseudonyms
from flow_engine.store import log_partitions
from flow_engine.store.postgres import PostgresConversations
from flow_engine.web.inbox_stream import Streams
from flow_engine.web.routes import make_app
from flow_engine.web.writing import Writes
from flowlang.running.bot_flows import BotFlows
from flowtools.sandbox import Sandbox
from servicekit.credentials.links import LinkKeys
from servicekit.database import Database, Pool
from servicekit.kafka.asker import Asker
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.loop.partition_loop import PartitionLoop
from servicekit.loop.readiness import problem_of
from servicekit.process import Service, run
from servicekit.registry_view.stack_id import StackId
from servicekit.registry_view.view import RegistryView
from servicekit.web.auth import Authoriser
from servicekit.web.health import Checks
from servicekit.workers.pool import WorkerPool

SERVICE = "flow-engine"
SCHEMA = "flow_engine"
UNUSED = ("endpoint", "secret")
"""Kinds of entities that no turn needs."""
MOST_WALKERS = 2
MOST_PLAYERS = 2


class Engine(Service):
    """One flow engine."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.database = settings, Database.of(settings, SCHEMA)
        self.view = RegistryView(settings.cluster, without=UNUSED)
        self.authoriser = Authoriser(self.view, settings.admin_token)
        self.stack = StackId(lambda: self.view.stack_id)
        self.publisher = KafkaPublisher(
            settings.cluster, client_id=f"{SERVICE}-{settings.instance}-operator", rarely=[dlq.topic_for(SERVICE).name]
        )
        self.asker = Asker(settings.cluster, f"{SERVICE}-{settings.instance}")
        self.writes = Writes(self.publisher, self.asker, self.view)
        self.streams = Streams()
        self.pseudonyms = Pseudonyms(settings.link_key)
        self.loops: list[PartitionLoop] = []
        keys = LinkKeys(settings.link_key) if settings.link_key else None
        self._links = LinkMaker(keys, settings.public_url)
        self.catalogue = RegistryCatalogue(self.view, self._links, compiled_flows=settings.compiled_flows)
        self._walkers = WorkerPool(walker.TARGET, most=MOST_WALKERS, all_for_one=False)
        self.segments = Segments(self._walkers)
        self._players = WorkerPool(simulating.TARGET, most=MOST_PLAYERS, all_for_one=False)
        self.simulator = Simulator(self._players)
        self.app = make_app(self)

    @property
    def store(self) -> PostgresConversations:
        """Raises ProblemError 503 before Postgres was there for the first time."""
        return PostgresConversations(self.pool, self.pseudonyms)

    def trigger(self, trigger_id: str) -> Trigger | None:
        """A trigger by id."""
        found: Trigger | None = self.view.get("trigger", trigger_id)
        return found

    def project(self, project_id: str) -> Project | None:
        """A project by id."""
        found: Project | None = self.view.get("project", project_id)
        return found

    @property
    def pool(self) -> Pool:
        """The API's. Raises ProblemError 503 before Postgres was there for the first time."""
        return self.database.pool

    def bot(self, bot_id: str) -> Bot | None:
        """A bot by id."""
        found: Bot | None = self.view.get("bot", bot_id)
        return found

    def bots(self, project_id: str) -> list[Bot]:
        """Those of a project."""
        return self.view.all("bot", project_id)

    def segment(self, project_id: str, id_or_name: str) -> Segment | None:
        """A project's segment."""
        return segment_of(self.view, project_id, id_or_name)

    def segments_of(self, project_id: str) -> list[Segment]:
        """Those of a project."""
        return self.view.all("segment", project_id)

    def agent(self, agent_id: str) -> Agent | None:
        """An agent by id."""
        found: Agent | None = self.view.get("agent", agent_id)
        return found

    def tokens_of(self, agent_id: str) -> list[Token]:
        """By which the agent acts."""
        return self.view.find_all("token", "agent", agent_id)

    def channel(self, channel_id: str) -> Channel | None:
        """A channel by id."""
        found: Channel | None = self.view.get("channel", channel_id)
        return found

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        return self.catalogue.flows_of(bot_id)

    def project_of(self, bot_id: str) -> str | None:
        """Whose bot it is."""
        bot = self.bot(bot_id)
        return bot.project_id if bot else None

    def checks(self) -> Checks:
        """Postgres is migrated, the registry known and ours, and every partition that we have can go on."""
        return {
            "database": self.database.problem,
            "registry": self.view.problem,
            "stack": self.stack.problem,
            "partitions": self._problem_of_loops,
        }

    async def work(self) -> None:
        """Apply events and fire timers."""
        settings = self.settings
        await self.view.start()
        await self.publisher.start()
        await self.asker.start()
        pool = await self.database.connect(settings)
        store = PostgresConversations(pool, self.pseudonyms)
        logs = log_partitions.logs(settings.chat_log_days, settings.event_log_days)
        most = 2 * settings.parallel_batches
        steps = WorkerPool(worker.TARGET, self._links, most=most, all_for_one=False)
        async with Sandbox(settings.code_workers) as sandbox, steps, self._walkers, self._players:
            steps.warm()
            deferring = Deferring(Stepping(sandbox, steps, code_at_once=settings.code_workers))
            handler = EngineHandler(store, self.catalogue, deferring, compute_budget=settings.compute_budget_ms / 1000)
            try:
                await self._apply(pool, store, handler, deferring, logs)
            finally:
                await deferring.close()
                await store.close()

    async def _apply(
        self,
        pool: Pool,
        store: PostgresConversations,
        handler: EngineHandler,
        deferring: Deferring,
        logs: tuple[log_partitions.Log, ...],
    ) -> None:
        settings, partitioned = self.settings, asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(log_partitions.keep_up_for_ever(pool, logs, first=partitioned))
            await partitioned.wait()
            await self.view.wait_ready()
            await self.stack.settle(pool)
            loop = PartitionLoop(
                handler,
                cluster=settings.cluster,
                group=GROUPS[SERVICE][handler.topic],
                service=SERVICE,
                instance=settings.instance,
                pool=pool,
                session_timeout=settings.session_timeout_seconds,
                max_records=settings.max_records,
                parallel_batches=settings.parallel_batches,
            )
            self.loops.append(loop)
            tasks.create_task(self.stack.keep(pool))
            tasks.create_task(loop.run())
            tasks.create_task(Timers(loop, store).run())
            tasks.create_task(Waking(loop, deferring).run())
            owner = f"{settings.instance}/{new_id()}"
            tasks.create_task(
                Broadcasting(loop, pool, self.catalogue, self.segments, owner, lambda: self.view.stamp.headers()).run()
            )
            tasks.create_task(Migrating(loop, pool, self.catalogue, lambda: self.view.stamp.headers()).run())
            tasks.create_task(Scheduling(loop, pool, self.view, self.catalogue).run())
            tasks.create_task(Retiring(loop, store, self.catalogue, self.publisher).run())

    def stopping(self) -> None:
        """Streams end, and their clients come again elsewhere."""
        self.streams.close()

    async def drain(self) -> None:
        """Finish the batch in hand."""
        for loop in self.loops:
            await loop.close()

    async def close(self) -> None:
        """Let go of the registry and the database."""
        await self.simulator.close()
        await self.asker.stop()
        await self.publisher.stop()
        await self.view.stop()
        await self.database.close()

    def _problem_of_loops(self) -> str | None:
        return problem_of(self.loops)


def main() -> None:
    """Run until SIGTERM."""
    run(SERVICE, Settings, Engine)
