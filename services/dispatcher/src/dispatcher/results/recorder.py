"""Outcomes, in batches: rows, attempts, what the engine and the outside must hear, and the next of a lane.

One transaction at a time. What is to be heard is a row in the transaction that ends the delivery, so that a crash does not
lose it; Kafka gets it right after, or at the next sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

import asyncpg
import structlog

from contracts.cloudevents import now_text
from dispatcher.model.delivery import Delivery, DeliveryKind, Result
from dispatcher.results import destination_health as health
from dispatcher.results import reports
from dispatcher.results.outcomes import Batch, Outcomes
from dispatcher.store import postgres_deliveries, result_outbox
from dispatcher.store.postgres_deliveries import Lease
from dispatcher.store.queues import Queues
from servicekit.checkpoints.transactions import LoopConnection, OutcomeUnknown
from servicekit.failpoints import broken, failpoint
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import counter

AT_ONCE = 500
RETRY_SECONDS = 0.5

log = structlog.get_logger()


class Recorder:
    """`run` saves what comes into `outcomes`. `offer` takes the lanes' next deliveries; `holds(source)`: whether the lanes
    of that partition are this process's."""

    def __init__(
        self,
        pool: asyncpg.Pool[asyncpg.Record],
        publisher: KafkaPublisher,
        queues: Queues,
        outcomes: Outcomes,
        *,
        offer: Callable[[list[Delivery]], None],
        holds: Callable[[str], bool],
        kinds: Mapping[str, DeliveryKind],
        lease_seconds: float,
    ) -> None:
        self._pool, self._publisher, self._queues, self._outcomes = pool, publisher, queues, outcomes
        self._offer, self._holds, self._kinds = offer, holds, kinds
        self._connection = LoopConnection(pool)
        self._lease_seconds = lease_seconds
        self._at_once = AT_ONCE
        self._published: list[UUID] = []
        self._publishing: set[asyncio.Task[None]] = set()
        self._finished = counter("switchhook_deliveries_total")

    async def run(self) -> None:
        """For ever. Postgres being away delays, and loses nothing: the rows are leased."""
        try:
            while True:
                await self._outcomes.some()
                while self._outcomes:
                    await self._try_to_save(self._outcomes.batch(self._at_once))
        finally:
            await self._connection.close()

    async def _try_to_save(self, batch: Batch) -> None:
        try:
            await self._save(batch.results, batch.lanes)
        except Exception as error:  # noqa: BLE001 (told apart, and logged, in _set_apart)
            cause = error.cause if isinstance(error, OutcomeUnknown) else error
            if not is_infrastructure(cause):
                self._set_apart(batch)
                return
            self._outcomes.unsaved(batch)
            log.warning("recorder.held", error=repr(cause))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._at_once = AT_ONCE
            self._outcomes.saved(batch)

    def _set_apart(self, batch: Batch) -> None:
        """A result that cannot be saved is looked for one by one, and left to its lease's end."""
        if len(batch.results) > 1:
            self._at_once = 1
            self._outcomes.unsaved(batch)
            return
        log.exception("result.unsaveable", deliveries=[each.delivery.id for each in batch.results])
        if batch.results:
            self._outcomes.unsaved(batch)  # Its lanes: the fault is likely the result's.
        self._outcomes.saved(batch)

    async def drained(self, seconds: float) -> None:
        """Wait until everything is saved and published, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._outcomes.drained()
                await asyncio.gather(*self._publishing)
        except TimeoutError:
            log.warning("recorder.left", outcomes=len(self._outcomes))

    async def _save(self, results: list[Result], check: set[str]) -> None:
        await failpoint("before_record")
        lease, deleted = Lease(self._lease_seconds), self._published[:200] if results else []

        async def work(connection: Connection) -> tuple[set[UUID], list[Outgoing], UUID | None, list[asyncpg.Record]]:
            mine = set[UUID]()
            if results:
                mine = await postgres_deliveries.record(connection, results, health.well(results), deleted)
            ours = [each for each in results if each.delivery.key in mine]
            outgoing = await self._heard(connection, ours)
            name = await result_outbox.add(connection, outgoing) if outgoing else None
            return mine, outgoing, name, await self._next_of(connection, ours, check, lease)

        mine, outgoing, name, rows = await self._connection.transaction(work)
        del self._published[: len(deleted)]
        await failpoint("after_record")
        if name is not None:
            self._publish(name, outgoing)
        self._count(results, mine)
        self._offer([await self._delivery(row, lease) for row in rows])

    async def _heard(self, connection: Connection, results: list[Result]) -> list[Outgoing]:
        """What has to be heard of these results and of their destinations."""
        now = now_text()
        outgoing = [record for each in results for record in reports.of(each, now)]
        return outgoing + await health.learn(connection, results, now)

    async def _next_of(
        self, connection: Connection, results: list[Result], check: set[str], lease: Lease
    ) -> list[asyncpg.Record]:
        """Lease the next delivery of each lane whose head ended."""
        ended = {
            each.delivery.lane
            for each in results
            if each.final and each.delivery.lane is not None and self._holds(each.delivery.source)
        }
        lanes = ended | check
        return await postgres_deliveries.unblock(connection, lanes, lease) if lanes else []

    async def _delivery(self, row: asyncpg.Record, lease: Lease) -> Delivery:
        return postgres_deliveries.delivery_of(row, await self._queues.destination(row["queue_id"]), lease, self._kinds)

    def _publish(self, name: UUID, outgoing: list[Outgoing]) -> None:
        task = asyncio.create_task(self._publish_row(name, outgoing))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_row(self, name: UUID, outgoing: list[Outgoing]) -> None:
        try:
            await self._publisher.publish_many(outgoing)
        except Exception as error:  # noqa: BLE001 (the row stays, and the sweep takes it up)
            log.warning("results.unpublished", error=repr(error))
            return
        self._published.append(name)

    async def sweep(self, age: str) -> None:
        """Publish what was written down longer ago than `age` and not deleted since; delete what is published."""
        deleted = list(self._published)
        if broken("outbox"):
            return
        async with self._pool.acquire() as connection:
            await result_outbox.delete(connection, deleted)
            self._published = [name for name in self._published if name not in deleted]
            rows = await result_outbox.left(connection, age)
        for name, outgoing in rows:
            await self._publish_row(name, outgoing)

    def _count(self, results: list[Result], mine: set[UUID]) -> None:
        for each in results:
            if each.delivery.key not in mine:
                log.info("result.stale", delivery=each.delivery.id, outcome=each.outcome)
            elif each.final:
                self._finished.labels(each.delivery.kind.name, each.outcome).inc()
