"""Recovery: raise the epoch, publish what is unsent, seek, go on (guarantees.md 6.1).

It is taken after an assignment and after every result that is not known to be good: a failed, fenced or unanswered
commit, a failed publish, a position outside the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID, uuid4

import asyncpg
import structlog

from servicekit.checkpoints import fence, outbox
from servicekit.checkpoints.fence import Hold
from servicekit.failpoints import broken
from servicekit.kafka.group_reader import Bounds, GroupReader
from servicekit.kafka.publisher import KafkaPublisher
from servicekit.kafka.records import Outgoing
from servicekit.loop.batches import Handler
from servicekit.loop.infrastructure import disk_problem, is_infrastructure
from servicekit.loop.outlet import Outlet
from servicekit.loop.partitions import LogProblem, Partition, State

STOPPED_SECONDS = 2.0
"""Between two looks at a partition that waits for an operator: what he did holds without a restart."""

log = structlog.get_logger()


class Fenced(Exception):
    """Another process has bumped the epoch since."""


class Recovery:
    """Recovers partitions of one loop, each in a task of its own."""

    def __init__(
        self,
        handler: Handler,
        reader: GroupReader,
        publisher: KafkaPublisher,
        pool: asyncpg.Pool[asyncpg.Record],
        outlet: Outlet,
        *,
        ready: Callable[[Partition], None],
    ) -> None:
        self._handler, self._reader, self._publisher, self._pool = handler, reader, publisher, pool
        self._outlet, self._ready = outlet, ready
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(3)

    def start(self, partition: Partition) -> None:
        """Recover the partition, in the background, until it is ready or fenced; a stopped one is looked at again."""
        self.cancel(partition.number)
        name = f"recover {partition.topic}/{partition.number}"
        self._tasks[partition.number] = asyncio.create_task(self._recover(partition), name=name)

    def cancel(self, number: int) -> None:
        """The partition is gone, or begins anew."""
        task = self._tasks.pop(number, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """Stop all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _recover(self, partition: Partition) -> None:
        while partition.state in (State.RECOVERING, State.STOPPED):
            await asyncio.sleep(STOPPED_SECONDS if partition.state is State.STOPPED else partition.delay)
            # What a batch does in the handler's memory comes before on_assigned, not after.
            await partition.idle.wait()
            try:
                async with self._at_once:
                    await self._once(partition)
            except Fenced:
                log.warning("partition.fenced", topic=partition.topic, partition=partition.number)
                partition.fence()
            except LogProblem as problem:
                self._stop(partition, str(problem))
            except Exception as error:  # noqa: BLE001 - held, whatever it is: nothing may be passed over here
                self._hold(partition, error)

    @staticmethod
    def _stop(partition: Partition, problem: str) -> None:
        if partition.problem != problem:
            log.error("partition.stopped", topic=partition.topic, partition=partition.number, problem=problem)
        partition.stop(problem)

    @staticmethod
    def _hold(partition: Partition, error: Exception) -> None:
        partition.wait_longer()
        partition.problem = disk_problem(f"{partition.topic}/{partition.number}", error) or partition.problem
        about = {"topic": partition.topic, "partition": partition.number, "delay": partition.delay}
        if is_infrastructure(error):
            log.warning("partition.held", error=f"{type(error).__name__}: {error}", **about)
        else:
            log.error("partition.recovery_failed", exc_info=error, **about)

    async def _once(self, partition: Partition) -> None:
        hold = await self._take(partition)
        partition.hold = hold
        partition.taken.set()
        await self._outlet.settled(partition.number)
        await self._outlet.delete_published()  # What Kafka has need not be said again.
        await self._publish_unsent(partition)
        bounds = await self._reader.bounds(partition.number)
        check_log(partition, hold, bounds)
        hold.incarnation = fence.learnt(hold.incarnation, bounds.incarnation)
        async with self._pool.acquire() as connection:
            await self._handler.on_assigned({partition.number}, connection)
        if partition.more:
            await self._publish_unsent(partition)
        self._reader.seek(partition.number, partition.begin(hold, bounds.start))
        self._reader.resume(partition.number)
        self._ready(partition)

    async def _take(self, partition: Partition) -> Hold:
        """Bump the epoch. After an assignment whoever held it; later only if it was this process all the time."""
        topic, number, owner = partition.topic, partition.number, uuid4()
        predecessors = list(partition.owners) if partition.held_before else None
        partition.owners.append(owner)  # Whatever becomes of the statement, this id is ours.
        async with self._pool.acquire() as connection:
            hold = await fence.bump(connection, topic, number, owner, predecessors=predecessors)
        if hold is None:
            if predecessors is not None:
                raise Fenced
            hold = await self._begin(topic, number, owner)
        partition.owners[:] = [owner]
        partition.held_before = True
        return hold

    async def _begin(self, topic: str, number: int, owner: UUID) -> Hold:
        """The first hold. A partition that came with others to a topic that was read before waits like those."""
        bounds = await self._reader.bounds(number)
        count = bounds.partitions
        async with self._pool.acquire() as connection:
            before = await fence.other_count(connection, topic, count)
            if before is not None:
                raise LogProblem(other_count(topic, count, before))
            return await fence.create(
                connection, topic, number, owner, start=bounds.start, partitions=count, incarnation=bounds.incarnation
            )

    async def _publish_unsent(self, partition: Partition) -> None:
        """Publish the outbox in order until it is empty; rows may be added meanwhile (Partition.more)."""
        topic, number = partition.topic, partition.number
        while True:
            partition.more = False
            async with self._pool.acquire() as connection:
                rows = await outbox.unsent(connection, topic, number)
            if not rows and not partition.more:
                return
            records = [record for row in rows for record in row.records]
            await self._publisher.know({record.topic for record in records})
            if not broken("outbox"):
                await self._publish(number, records)
            async with self._pool.acquire() as connection:
                await outbox.delete(connection, topic, [(number, row.name) for row in rows])
            log.info("outbox.published_again", topic=topic, partition=number, rows=len(rows), records=len(records))

    async def _publish(self, number: int, records: list[Outgoing]) -> None:
        acknowledged = self._publisher.enqueue(records)
        self._outlet.watch([number], acknowledged)
        await asyncio.shield(acknowledged)


def check_log(partition: Partition, hold: Hold, log: Bounds) -> None:
    """Raises LogProblem when the checkpoint and the log do not belong together (guarantees.md 2.9).

    Of a topic with another id than the checkpoint's, what was applied last has to be there: `Partition.begin` looks.
    """
    name, at = f"{partition.topic}/{partition.number}", hold.next_offset
    anew = None not in (hold.incarnation, log.incarnation) and fence.topic_of(hold.incarnation) != log.incarnation
    made_anew = f"{name}: the topic was made anew since the checkpoint {at}; its log is now {log.start} to {log.end}"
    if anew and (at > log.end or (at > 0 and (at <= log.start or hold.last_id is None))):
        raise LogProblem(made_anew)
    if at < log.start:
        lost = log.start - at
        raise LogProblem(f"{name}: the log begins at {log.start}, {lost} records were deleted before being applied")
    if at > log.end:
        what = "it is another log" if hold.incarnation is None or log.incarnation is None else "its end was lost"
        raise LogProblem(f"{name}: the checkpoint is at {at}, but the log ends at {log.end}: {what}")
    if hold.partitions != log.partitions:
        raise LogProblem(other_count(partition.topic, log.partitions, hold.partitions))


def other_count(topic: str, now: int, before: int) -> str:
    """The sentence about a topic that was given another number of partitions."""
    return f"{topic}: it has {now} partitions and had {before} when this service first read it"
