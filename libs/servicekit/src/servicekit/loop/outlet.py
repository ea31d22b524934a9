"""What a transaction has committed goes to Kafka from memory; its outbox row goes when Kafka has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

import structlog

from servicekit.checkpoints import outbox
from servicekit.checkpoints.fence import Hold
from servicekit.checkpoints.transactions import LoopConnection
from servicekit.failpoints import armed, failpoint, failpoint_of, strikes
from servicekit.kafka.publisher import KafkaPublisher, NotAcknowledged
from servicekit.kafka.records import Outgoing
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.loop.partitions import Partition, State
from servicekit.loop.preparation import has_actions

log = structlog.get_logger()


class CommittedRow(NamedTuple):
    """An outbox row that was just committed under `hold`."""

    partition: Partition
    hold: Hold
    name: str
    records: list[Outgoing]


class Outlet:
    """Publishes rows in the order of their commits.

    `recover` hears of a partition whose records Kafka did not take; `done` is called whenever something was acknowledged
    or failed.
    """

    def __init__(
        self,
        topic: str,
        publisher: KafkaPublisher,
        connection: LoopConnection,
        *,
        recover: Callable[[Partition, Hold, str], None],
        done: Callable[[], None],
    ) -> None:
        self._topic, self._publisher, self._connection = topic, publisher, connection
        self._recover, self._done = recover, done
        self._unacknowledged: dict[int, set[asyncio.Future[None]]] = {}
        self.published: list[tuple[int, str]] = []
        """Rows that Kafka has and that are not deleted yet: (partition, name)."""

    async def send(self, rows: Sequence[CommittedRow]) -> None:
        """Publish. A partition that is not ours as it was is left to its recovery, or to its new owner."""
        rows = [
            row for row in rows if row.records and row.hold is row.partition.hold and row.partition.state is State.READY
        ]
        if not rows:
            return
        records = [record for row in rows for record in row.records]
        try:
            acknowledged = await self._enqueued(records)
        except NotAcknowledged as error:
            log.warning("publish.failed", topic=self._topic, error=str(error))
            for row in rows:
                self._recover(row.partition, row.hold, "publish")
            return
        for row in rows:
            row.hold.unacknowledged += 1
        self.watch([row.hold.part for row in rows], acknowledged)
        acknowledged.add_done_callback(lambda future: self._settled(rows, future))
        if armed("after_publish") or armed("after_publish_of_actions"):
            await asyncio.wait([acknowledged])
            await failpoint("after_publish")
            await failpoint_of("after_publish_of_actions", lambda: has_actions(records))

    def watch(self, numbers: Sequence[int], acknowledged: asyncio.Future[None]) -> None:
        """These partitions have something unacknowledged."""
        for number in numbers:
            waiting = self._unacknowledged.setdefault(number, set())
            waiting.add(acknowledged)
            acknowledged.add_done_callback(waiting.discard)

    async def settled(self, number: int) -> None:
        """Wait until everything that was sent for a partition is acknowledged or has failed."""
        if waiting := self._unacknowledged.get(number):
            await asyncio.wait(list(waiting))

    async def drained(self, seconds: float) -> None:
        """The same for all partitions, at most so long."""
        waiting = [future for futures in self._unacknowledged.values() for future in futures]
        if waiting:
            await asyncio.wait(waiting, timeout=seconds)

    async def _enqueued(self, records: list[Outgoing]) -> asyncio.Future[None]:
        if strikes("publish_fails"):
            raise NotAcknowledged("failpoint: the topic refuses")
        if armed("mid_publish"):
            half = len(records) // 2
            await self._publisher.enqueue(records[:half])
            await failpoint("mid_publish")
            records = records[half:]
        return self._publisher.enqueue(records)

    def _settled(self, rows: Sequence[CommittedRow], future: asyncio.Future[None]) -> None:
        failed = future.cancelled() or future.exception() is not None
        for row in rows:
            row.hold.unacknowledged -= 1
            if failed:
                self._recover(row.partition, row.hold, "publish")
            else:
                self.published.append((row.hold.part, row.name))
        self._done()

    async def delete_published(self) -> bool:
        """Delete acknowledged rows in a statement of their own. False when Postgres is away."""
        try:
            async with self._connection.lock:
                names = self.published[:1000]
                if names:
                    await outbox.delete(await self._connection.get(), self._topic, names)
                    del self.published[: len(names)]
        except Exception as error:
            if not is_infrastructure(error):
                raise
            log.warning("outbox.delete_failed", topic=self._topic, error=f"{type(error).__name__}: {error}")
            return False
        return True
