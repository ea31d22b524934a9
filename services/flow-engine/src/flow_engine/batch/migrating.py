"""Walks flow migrations: a record on inbound for one conversation after the other, which takes it to the other version in its order.

A step is one transaction of a partition that this process holds, in which the migration's row is locked: its place, and the
records. So a kill leaves all of a step or nothing, and of several engines one takes it further at a time. What is written gives
way to what comes through the doors, as the starts of broadcasts do (ADR-0060).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import structlog

from contracts import inbound
from contracts.cloudevents import Headers, headers, now_text
from contracts.ids import derived_id, split_conversation_key
from flow_engine.batch.timers import Save
from flow_engine.batch.walking import FEW, MOST_SENDING, KnowsWaits, Pace, Resting
from flow_engine.catalogue.port import Catalogue
from flow_engine.store import flow_migrations as migrations
from flow_engine.store.flow_migrations import Found, Job
from flowlang.running.bot_flows import BotFlows
from servicekit.database import Pool
from servicekit.failpoints import failpoint
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.repeats import Repeated

LONGEST_WAIT = 30.0
"""Seconds after which the records of a step are waited for no more: their conversations are held, or an operator has accepted their loss."""
KNOWN_SECONDS = 60.0
"""So long the registry's view may be behind the one of the engine that made the migration."""

log = structlog.get_logger()


class Flows(Catalogue, Protocol):
    """What this asks of the registry."""

    def flows_of(self, bot_id: str) -> BotFlows:
        """The published flows of a bot."""
        ...


class Migrating:
    """Of one process."""

    def __init__(self, loop: KnowsWaits, pool: Pool, flows: Flows, stamp: Callable[[], Headers]) -> None:
        """`stamp`: headers that say how far the registry is known here."""
        self._loop, self._pool, self._flows, self._stamp = loop, pool, flows, stamp
        self._held = Repeated("flow_migrations.held")
        self._resting: Resting[str] = Resting()
        self._pace = Pace(loop)

    async def run(self) -> None:
        """For ever. PostgreSQL or Kafka being away delays migrations."""
        await self._pace.keep(self.look, self._held)

    async def look(self) -> bool:
        """Take each migration a step further, unless records wait; whether there are any."""
        if not self._loop.assigned:
            return False
        if not self._pace.may_walk():
            return True
        async with self._pool.acquire() as connection:
            ids = await migrations.running(connection)
        for id in ids:
            if not self._resting.rests(id):
                await self._one(id)
        return bool(ids)

    async def _one(self, id: str) -> None:
        """What nobody has foreseen of one migration stops none of the others, and no engine."""
        held = self._loop.assigned
        try:
            if held:
                await self._loop.transact(min(held), self._step(id))
        except Exception as error:
            if is_infrastructure(error):
                raise
            log.exception("flow_migration.failed", migration=id)
            self._resting.rest(id)

    def _step(self, id: str) -> Save:
        async def save(connection: Connection) -> list[Outgoing]:
            job = await migrations.hold(connection, id)
            if job is None or not await self._may_go_on(connection, job):
                return []
            if job.on_the_way > 0 and job.idle > LONGEST_WAIT:
                await migrations.give_up(connection, job)
                job = job._replace(on_the_way=0)
            room = MOST_SENDING - max(job.on_the_way, 0)
            if job.walked or room <= 0:
                if job.walked and job.on_the_way <= 0:
                    await migrations.end(connection, id, "completed")
                return []
            room = min(room, FEW) if self._pace.gives_way else room
            found = await migrations.following(connection, job, room)
            await migrations.advance(connection, job, found, walked=len(found) < room)
            await failpoint("migration_noted")
            return [self._record(job, one) for one in found]

        return save

    async def _may_go_on(self, connection: Connection, job: Job) -> bool:
        """Only to the version that is published."""
        graph = self._flows.flows_of(job.bot_id).current(job.flow_id)
        if graph is not None and graph.version == job.to_version:
            return True
        if job.age > KNOWN_SECONDS:
            await migrations.end(connection, job.id, "superseded")
        return False

    def _record(self, job: Job, found: Found) -> Outgoing:
        """Its id follows from the migration, the conversation and where it was found: a flow that it calls meanwhile is another place."""
        now = now_text()
        bot_id, channel_id, peer_id = split_conversation_key(found.key)
        body = inbound.Migrate(
            project_id=job.project_id,
            bot_id=bot_id,
            channel_id=channel_id,
            peer_id=peer_id,
            channel_type=self._flows.channel_type(found.key),
            received_at=now,
            migration=job.id,
            flow_id=job.flow_id,
            to=job.to_version,
        )
        about = headers(
            id=derived_id("flow-migration", job.id, found.id, found.flow_version),
            type="inbound.migrate",
            source="switchhook/flow-engine",
            time=now,
            project=job.project_id,
        )
        return Outgoing(self._loop.topic, found.key.encode(), body.encode(), [*about, *self._stamp()])
