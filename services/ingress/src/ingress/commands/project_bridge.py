"""Commands from the topics of projects that have their own, on the same way as those of commands.v1.

A group of its own, so that a topic that comes, goes or refuses stops nobody's commands in commands.v1 for a moment. Of the topics
that projects want it reads those that are there; members come and go without instance names, since there may be more replicas
than partitions. While no project has topics, nothing is connected.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from contracts import project_topics
from contracts.registry import Project
from ingress.commands.bridge import RETRY_SECONDS, START_SECONDS, Bridge, Stuck, check_progress
from ingress.commands.command_intake import CommandIntake
from ingress.intake.publishing import Intake
from ingress.ports import Publishing
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import consumers, missing_topics
from servicekit.kafka.undisturbed import to_its_end
from servicekit.registry_view.view import RegistryView

LOOK_SECONDS = 5.0
"""Between two looks at which of the topics there are."""
ASKED_AT_ONCE = 50
"""Topics that were not there, at one look."""
REFUSED_SECONDS = 60.0
"""For so long a topic that we may not read is left out."""

log = structlog.get_logger()


class Nothing(Stuck):
    """None of the topics is there."""


class ProjectBridge(Bridge):
    """Consumes the commands of all projects that have topics of their own."""

    _label = project_topics.label_of(project_topics.PREFIX)

    def __init__(
        self,
        cluster: Cluster,
        instance: str,
        session_timeout: float,
        judge: CommandIntake,
        intake: Intake,
        publisher: Publishing,
        view: RegistryView,
    ) -> None:
        super().__init__(cluster, instance, session_timeout, judge, intake, publisher)
        self._wanted: dict[str, str] = {}
        """Project -> its topic, by its name on the cluster."""
        self._some = asyncio.Event()
        self._there, self._refused = frozenset[str](), dict[str, float]()
        self._looked = 0.0
        self._missing = frozenset[str]()
        """As of the last look."""
        self._view = view

    def warning(self) -> str | None:
        """For readiness: that topics of projects are not read, in a sentence."""
        missing = sorted(self._missing & set(self._wanted.values()))
        if not missing:
            return None
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        return (
            f"the topic {missing[0]}{more} of a project is not there, or may not be read:"
            " `switchhook-ops project kafka` makes it, `acls apply` lets ingress read it"
        )

    async def _run(self) -> None:
        self._view.on_change(self._changed)
        for id in self._view.ids("project"):
            self._changed("project", id, self._view.get("project", id))
        while True:
            await self._some.wait()
            consumer = make_consumer(
                self._cluster,
                client_id=f"ingress-projects-{self._instance}",
                group=project_topics.GROUP,
                session_timeout=self._session_timeout,
            )
            pause = RETRY_SECONDS
            try:
                await to_its_end(consumer.start(), START_SECONDS)
                self._there, self._looked = frozenset(), 0.0
                await self._consume(consumer)
            except Nothing:
                pause = LOOK_SECONDS
            except TopicAuthorizationFailedError as error:
                self._leave_out(error.args[0])
            except (KafkaError, OSError, TimeoutError, Stuck) as error:
                log.warning("project_bridge.restarted", error=f"{type(error).__name__}: {error}")
            finally:
                await consumers.close(consumer)
            await asyncio.sleep(pause)

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Read those of the topics that are there now. Raises Nothing."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS and self._there <= set(self._wanted.values()):
            return
        self._looked = now
        there = await self._present(consumer)
        self._missing = frozenset(self._wanted.values()) - there
        if not there:
            self._there = there
            raise Nothing
        if there != self._there:
            log.info("project_bridge.reads", topics=len(there))
            consumer.subscribe(sorted(there))
            self._there = there

    async def _present(self, consumer: AIOKafkaConsumer) -> frozenset[str]:
        """Those of the wanted topics that are there. All topics of the cluster are asked for once only, since thousands take long."""
        now = time.monotonic()
        self._refused = {topic: until for topic, until in self._refused.items() if until > now}
        wanted = set(self._wanted.values()) - self._refused.keys()
        if not self._there:
            return frozenset(wanted & await to_its_end(consumer.topics(), START_SECONDS))
        there = {topic for topic in self._there & wanted if missing_topics.problem(topic) is None}
        for topic in sorted(wanted - there)[:ASKED_AT_ONCE]:
            try:
                await to_its_end(consumers.topic_state(consumer, topic), START_SECONDS)
            except (UnknownTopicOrPartitionError, TopicAuthorizationFailedError):
                continue
            there.add(topic)
        return frozenset(there)

    async def _check_alive(self, consumer: AIOKafkaConsumer) -> None:
        """There may be more replicas than partitions: one without any is right."""
        await check_progress(consumer)

    def _leave_out(self, topics: Any) -> None:
        refused = {topics} if isinstance(topics, str) else set(topics)
        log.error("project_bridge.refused", topics=sorted(refused))
        self._refused |= dict.fromkeys(refused, time.monotonic() + REFUSED_SECONDS)

    def _changed(self, kind: str, id: str, entity: Any) -> None:
        if kind != "project":
            return
        if isinstance(entity, Project) and entity.own_topics:
            self._wanted[id] = self._cluster.named(project_topics.commands_topic(entity.slug).name)
            self._some.set()
        elif self._wanted.pop(id, None) is not None and not self._wanted:
            self._some.clear()
