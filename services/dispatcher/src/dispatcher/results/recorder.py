"""Outcomes, in batches: rows, attempts, what the engine and the outside must hear, and the next of a lane.

One transaction at a time. What is to be heard is a row in the transaction that ends the delivery, so that a crash does not
lose it; Kafka gets it right after, or at the next sweep.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence, Set
from datetime import timedelta
from typing import NamedTuple, Protocol
from uuid import UUID

import structlog

from contracts.cloudevents import now_text
from dispatcher.model.delivery import Delivery, Result
from dispatcher.results import conclusions, failing_destinations, reports
from dispatcher.results.outcomes import Batch, Outcomes
from dispatcher.store.port import LEFT_AT_ONCE, DeliveryStore, Lease, Recorded, Session, Unpublished
from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.failpoints import broken, failpoint
from servicekit.kafka.records import Outgoing
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.current_trace import in_trace
from servicekit.observability.metrics import counter
from servicekit.observability.repeats import Repeated

AT_ONCE = 500
PUBLISHED_AT_ONCE = 200
RETRY_SECONDS = 0.5

log = structlog.get_logger()


class Publisher(Protocol):
    """The part of servicekit's KafkaPublisher that is needed here."""

    async def publish_many(self, records: Sequence[Outgoing]) -> None:
        """Write them, in order within a partition. Raises NotAcknowledged when it is not known that Kafka has them."""


class Takes(Protocol):
    """The part of `Destinations` that is needed here."""

    @property
    def in_a_stretch(self) -> Set[str]:
        """Lanes whose next delivery is in hand although the one before it may not be saved yet."""

    def stretches(self, ended: Iterable[Delivery]) -> dict[str, int]:
        """How many of these deliveries' lanes may be leased together."""

    def offer(self, deliveries: Iterable[Delivery]) -> None:
        """Take leased deliveries."""


class Saved(NamedTuple):
    """What one transaction came to: the ids that were still ours, what is to be published, and the lanes' next ones."""

    mine: set[UUID]
    outgoing: list[Outgoing]
    outbox: UUID | None
    following: list[Delivery]


class Recorder:
    """`run` saves what comes into `outcomes`. `destinations` take the lanes' next deliveries; `holds(source)`: whether the
    lanes of that partition are this process's."""

    def __init__(
        self,
        store: DeliveryStore,
        publisher: Publisher,
        outcomes: Outcomes,
        destinations: Takes,
        *,
        holds: Callable[[str], bool],
        lease_seconds: float,
    ) -> None:
        self._store, self._publisher, self._outcomes = store, publisher, outcomes
        self._destinations, self._holds, self._lease_seconds = destinations, holds, lease_seconds
        self._at_once, self._held = AT_ONCE, Repeated("recorder.held")
        self._published: list[UUID] = []
        self._publishing: set[asyncio.Task[bool]] = set()
        self._finished = counter("switchhook_deliveries_total")

    async def run(self) -> None:
        """For ever. The database being away delays, and loses nothing: the rows are leased."""
        try:
            while True:
                await self._outcomes.some()
                await self._try_to_save(self._outcomes.batch(self._at_once))
        finally:
            await self._store.close()

    async def _try_to_save(self, batch: Batch) -> None:
        try:
            await self._save(batch.results, batch.lanes)
        except Exception as error:  # noqa: BLE001 (told apart, and logged, in _set_apart)
            cause = error.cause if isinstance(error, OutcomeUnknown) else error
            if not is_infrastructure(cause):
                self._set_apart(batch)
                return
            self._outcomes.unsaved(batch)
            self._held.warn(error=repr(cause))
            await asyncio.sleep(RETRY_SECONDS)
        else:
            self._at_once = AT_ONCE
            self._outcomes.saved(batch)
            self._destinations.offer([])  # There may have been too many results for more attempts.

    def _set_apart(self, batch: Batch) -> None:
        """A result that cannot be saved is looked for one by one, and saved without what came back: left to its lease's
        end, a request that has succeeded would be made again."""
        if len(batch.results) > 1:
            self._at_once = 1
            self._outcomes.unsaved(batch)
            return
        with in_trace(batch.results[0].delivery.traceparent if batch.results else None):
            log.exception("result.unsaveable", deliveries=[each.delivery.id for each in batch.results])
        stripped = [less for each in batch.results if (less := conclusions.without_the_answer(each)) is not None]
        if stripped:
            self._outcomes.instead(batch, stripped)
            return
        if batch.results:
            self._outcomes.unsaved(batch)  # Its lanes: the fault is likely the result's.
            self._look_after_later({lane for each in batch.results if (lane := each.delivery.lane) is not None})
        self._outcomes.saved(batch)

    def _look_after_later(self, lanes: set[str]) -> None:
        """One that was sent in a stretch is due at no time: the end of its lease is found by nobody else."""
        asyncio.get_running_loop().call_later(self._lease_seconds, self._outcomes.look_after, lanes)

    async def drained(self, seconds: float) -> None:
        """Wait until everything is saved and published, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._outcomes.drained()
                await asyncio.gather(*self._publishing)
        except TimeoutError:
            log.warning("recorder.left", outcomes=len(self._outcomes))

    async def _save(self, results: list[Result], lanes: set[str]) -> None:
        await failpoint("before_record")
        lease, published = Lease(self._lease_seconds), self._published[:PUBLISHED_AT_ONCE] if results else []
        later = self._outcomes.lanes_after(len(results))
        busy = later | self._destinations.in_a_stretch

        async def work(session: Session) -> Saved:
            mine, recovered = Recorded(set(), set())
            if results:
                mine, recovered = await session.record(results, failing_destinations.working(results), published)
            ours = [each for each in results if each.delivery.key in mine]
            outgoing = await self._heard(session, ours, recovered)
            outbox = await session.keep_results(outgoing) if outgoing else None
            ended = self._ended(lanes, results, mine, busy)
            return Saved(mine, outgoing, outbox, await session.unblock(ended, lease) if ended else [])

        saved = await self._store.transaction(work)
        self._not_again(published)
        await failpoint("after_record")
        if saved.outbox is not None:
            self._publish(saved.outbox, saved.outgoing)
        self._outcomes.look_after(lanes & later)
        self._count(results, saved.mine)
        self._destinations.offer(saved.following)

    async def _heard(self, session: Session, results: list[Result], recovered: set[str]) -> list[Outgoing]:
        """What has to be heard of these results and of their destinations."""
        now = now_text()
        outgoing = [record for each in results for record in reports.of(each, now)]
        return outgoing + await failing_destinations.note(session, results, recovered, now)

    def _ended(self, lanes: set[str], results: list[Result], mine: set[UUID], busy: set[str]) -> dict[str, int]:
        """Lanes whose next is to be leased, and how much of each: those to be looked after, and those of ours of which what
        was in hand has ended. Of `busy` ones something is in hand, or not saved yet: they are looked at after that.

        A stretch of several only follows a success. A result that is not ours any more may have been its lane's last in hand all the same.
        """
        last = [each for each in results if not each.goes_on and each.delivery.lane is not None]
        ended = [each for each in last if self._holds(each.delivery.source)]
        single = {each.delivery.lane or "" for each in ended if each.final or each.delivery.key not in mine}
        succeeded = [each.delivery for each in ended if each.outcome == "succeeded" and each.delivery.key in mine]
        counts = dict.fromkeys(lanes | single, 1) | self._destinations.stretches(succeeded)
        return {lane: count for lane, count in counts.items() if lane not in busy}

    def _publish(self, name: UUID, outgoing: list[Outgoing]) -> None:
        task = asyncio.create_task(self._publish_row(name, outgoing))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish_row(self, name: UUID, outgoing: list[Outgoing]) -> bool:
        try:
            await self._publisher.publish_many(outgoing)
        except Exception as error:  # noqa: BLE001 (the row stays, and the sweep takes it up)
            log.warning("results.unpublished", error=repr(error))
            return False
        self._published.append(name)
        return True

    async def sweep(self, age: timedelta) -> None:
        """Publish what was written down longer ago than `age` and not deleted since, all of it unless Kafka is away; delete
        what is published."""
        more = not broken("outbox")
        while more:
            rows = await self._left(age)
            # The rows of one look at once: one after the other each would wait for Kafka's answer to the one before.
            done = await asyncio.gather(*(self._publish_row(row.name, row.outgoing) for row in rows))
            more = len(rows) == LEFT_AT_ONCE and all(done)

    async def _left(self, age: timedelta) -> list[Unpublished]:
        published = list(self._published)
        async with self._store.session() as session:
            await session.forget_results(published)
            self._not_again(published)
            return await session.unpublished(age)

    def _not_again(self, deleted: list[UUID]) -> None:
        """A sweep may have deleted some of them meanwhile, and others may have been published."""
        self._published = [name for name in self._published if name not in deleted]

    def _count(self, results: list[Result], mine: set[UUID]) -> None:
        finished = Counter[tuple[str, str]]()
        for each in results:
            if each.delivery.key not in mine:
                with in_trace(each.delivery.traceparent):
                    log.info("result.stale", delivery=each.delivery.id, outcome=each.outcome)
            elif each.final:
                finished[each.delivery.kind.name, each.outcome] += 1
        for labels, count in finished.items():
            self._finished.labels(*labels).inc(count)
