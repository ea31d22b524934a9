"""The partition loop: exactly-once effect of a topic's records on Postgres and on other topics (guarantees.md 2).

    Kafka -> GroupReader -> Assignment -> cut -> Handler.apply -> one transaction -> publish -> delete the row
                                ^                                       |               |
                                +----------- Recovery <---- whatever is not known to be good

One transaction at a time; publishing a batch overlaps with the next batches. In the transaction: the checkpoint by
compare-and-set (fence.py), the handler's own rows, an outbox row per partition, and the deletion of the rows that Kafka
has acknowledged since. A batch without any effect needs none: its position is remembered, and saved with the next
effect or every upkeep.COMMIT_SECONDS; after a crash such records are read once more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

import asyncpg
import structlog

from contracts import dlq
from contracts.topics import TOPICS
from servicekit.checkpoints import outbox
from servicekit.checkpoints.fence import CheckpointMove, Hold
from servicekit.checkpoints.transactions import FencedOff, LoopConnection, OutcomeUnknown
from servicekit.failpoints import failpoint, failpoint_of
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.group_reader import GroupReader
from servicekit.kafka.inside_aiokafka import missing_topics
from servicekit.kafka.publisher import KafkaPublisher, check_sizes
from servicekit.kafka.records import Outgoing, dead_letter
from servicekit.loop.assignment import Assignment
from servicekit.loop.batch_size import BatchSize
from servicekit.loop.batches import Batch, Commit, Connection, DeadRecord, Handler, Infrastructure
from servicekit.loop.brake import Brake, say_parked
from servicekit.loop.database_age import DatabaseAge, Progress, none
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.loop.metrics import LoopMetrics
from servicekit.loop.outlet import CommittedRow, Outlet
from servicekit.loop.own_transactions import OwnTransactions
from servicekit.loop.partitions import PARK_TRIES, TRIES, Partition, State
from servicekit.loop.positions import Positions, advance, stored
from servicekit.loop.preparation import Portion, Prepared, Stamps, batch_of, covered, cut, goes_alone, move_of, prepare
from servicekit.loop.recovery import Recovery
from servicekit.loop.upkeep import Fatal, Upkeep

__all__ = ["Batch", "Commit", "Connection", "DeadRecord", "Fatal", "Handler", "Infrastructure", "PartitionLoop"]

MAX_RECORDS = 250
IDLE_SECONDS = 0.05
"""How long there must be nothing to do until acknowledged outbox rows are deleted in a statement of their own."""
DRAIN_SECONDS = 10.0

log = structlog.get_logger()


class PartitionLoop:
    """Reads the handler's topic as a member of `group` and applies it batch by batch.

    `service` names the dead-letter topic; `instance` is this replica's name in the group, stable over restarts;
    `session_timeout`: seconds without a heartbeat until its partitions go to others. `pool`'s connections look into the
    schema that has LOOP_TABLES. Without `publisher` (already started) the loop has one of its own. With two `parallel_batches`
    one batch is computed while another one, of other partitions, is being committed; the handler's `apply` may then run
    twice at once. There is one transaction at a time all the same. `patience_ms`: see GroupReader. `progress`: a number of
    the service's database that grows with what it does beside its checkpoints (DatabaseAge).
    """

    def __init__(
        self,
        handler: Handler,
        *,
        cluster: Cluster,
        group: str,
        service: str,
        instance: str,
        pool: asyncpg.Pool[asyncpg.Record],
        publisher: KafkaPublisher | None = None,
        session_timeout: float = 30.0,
        max_records: int = MAX_RECORDS,
        parallel_batches: int = 1,
        patience_ms: int = 0,
        progress: Progress = none,
    ) -> None:
        self.topic = topic = handler.topic
        self._parallel_batches = parallel_batches
        self._handler, self._service, self._cluster = handler, service, cluster
        self._size, self._session_timeout = BatchSize(max_records), session_timeout
        self._own_publisher = publisher is None
        self._publisher = publisher or KafkaPublisher(cluster, client_id=f"{group}-{instance}")
        self._metrics, self._stamps, self._brake = LoopMetrics(topic), Stamps(topic), Brake(topic, service)
        self._work, self._closing = asyncio.Event(), asyncio.Event()
        self._reader = GroupReader(
            cluster=cluster, topic=topic, group=group, instance=instance,
            session_timeout=session_timeout, patience_ms=patience_ms,
        )  # fmt: skip
        self._age = DatabaseAge(cluster, service, group=group, topic=topic, pool=pool, progress=progress)
        self._connection = LoopConnection(pool)
        self._outlet = Outlet(topic, self._publisher, self._connection, recover=self._recover, done=self._work.set)
        self._recovery = Recovery(handler, self._reader, self._publisher, pool, self._outlet, ready=self._on_ready)
        self._assignment = Assignment(handler, self._metrics, self._recovery, self._work, max_waiting=4 * max_records)
        self._positions = Positions(
            topic, self._assignment, self._connection, recover=self._recover, done=self._work.set
        )
        self._upkeep = Upkeep(
            topic, self._reader, self._assignment, self._positions, self._metrics, self._age,
            session_timeout=session_timeout,
        )  # fmt: skip
        self._own = OwnTransactions(topic, self._assignment, self._connection, self._outlet, recover=self._recover)

    async def run(self) -> None:
        """Work until `close` is called or the task is cancelled. Raises Fatal when only a new process can go on."""
        if self._own_publisher:
            await self._publisher.start()
        if not await self._may_begin():
            return
        applying = [
            asyncio.create_task(self._apply_for_ever(), name=f"apply {self.topic} {number}")
            for number in range(self._parallel_batches)
        ]
        helpers = [
            asyncio.create_task(self._reader.run(self._assignment), name=f"read {self.topic}"),
            asyncio.create_task(self._upkeep.run(), name=f"look after {self.topic}"),
        ]
        try:
            done, _ = await asyncio.wait([*applying, *helpers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await self._stop(applying, helpers)
            finally:
                await self._let_go()

    async def close(self) -> None:
        """Have the batch in hand finished; `run` then returns."""
        self._closing.set()
        self._work.set()

    def wake(self) -> None:
        """Look for work now."""
        self._work.set()

    def lag(self) -> dict[int, int]:
        """Partition -> records not yet applied, as of the last fetch."""
        return self._upkeep.lag()

    def waited(self) -> float:
        """For how long the record has been here that came first of those not yet applied, seconds; 0 when there are none."""
        return self._assignment.waited()

    @property
    def assigned(self) -> set[int]:
        """The partitions that this process holds and reads."""
        return {number for number, part in self._assignment.partitions.items() if part.state is State.READY}

    def problem(self) -> str | None:
        """One sentence when a topic is missing, a partition stands still for an operator or none is assigned; else None."""
        if older := self._age.problem():
            return older
        if missing := self._reader.problem() or missing_topics.problem_of(self._cluster, TOPICS):
            return missing
        if self._reader.unassigned_seconds > 2 * self._session_timeout:
            return f"{self.topic}: no partitions assigned for {self._reader.unassigned_seconds:.0f} s"
        return self._brake.problem() or self._assignment.problem()

    async def begun(self) -> None:
        """Wait until the database is known to be as new as what was done with it: before that, nothing may be sent by it."""
        await self._age.settled.wait()

    async def settled(self) -> None:
        """Wait until there is an assignment and each of its partitions is ready, or stopped for an operator."""
        assignment = self._assignment
        while self._reader.unassigned_seconds or any(
            part.state in (State.RECOVERING, State.FENCED) for part in assignment.partitions.values()
        ):
            assignment.changed.clear()
            await assignment.changed.wait()

    async def transact(
        self, partition: int, save: Callable[[Connection], Awaitable[list[Outgoing]]], *, name: str | None = None
    ) -> bool:
        """Run `save` in a transaction fenced by this process's hold on the partition; see OwnTransactions.run."""
        return await self._own.run(partition, save, name=name)

    async def _may_begin(self) -> bool:
        """False when `close` comes while the database is too old for anything to be done with it."""
        begins = False
        try:
            begins = await self._age.settle_or(self._closing)
        finally:
            if not begins:
                await self._let_go()
        return begins

    async def _apply_for_ever(self) -> None:
        while not self._closing.is_set():
            self._work.clear()
            if await self._apply_next():
                continue
            if not self._outlet.published:
                await self._work.wait()
            elif not await self._work_within(IDLE_SECONDS) and not await self._outlet.delete_published():
                await self._work_within(1.0)

    async def _apply_next(self) -> bool:
        """Apply what there is. False when there is nothing."""
        portions = [] if self._brake.pulled else cut(self._assignment.in_turn(), self._size.now)
        if not portions:
            return False
        for portion in portions:
            portion.partition.idle.clear()
        try:
            await self._apply(portions)
        except FencedOff as error:
            self._metrics.fenced.inc()
            log.warning("batch.fenced", topic=self.topic, partitions=sorted(error.partitions))
            for portion in portions:
                if portion.hold.part in error.partitions:
                    self._recover(portion.partition, portion.hold, "fenced")
        except Exception as error:  # noqa: BLE001 - sorted by whose fault it is
            self._failed(portions, error)
        finally:
            for portion in portions:
                portion.partition.idle.set()
        self._reader.wake()
        return True

    async def _apply(self, portions: list[Portion]) -> None:
        """Load, compute, one transaction, publish. Raises whatever went wrong before the commit was known to be good."""
        started = time.monotonic()
        if goes_alone(portions) and portions[0].fresh and portions[0].partition.tries >= TRIES:
            if self._brake.may_park(portions[0].fresh[0]):
                await self._park(portions[0])
            return
        batch = batch_of(portions)
        commit = await self._handler.apply(batch) if batch.records else Commit()
        portions = covered(portions, commit.applied)
        if not portions:
            raise Infrastructure("the handler applied nothing of its batch")
        if commit.empty and not any(portion.dead for portion in portions):
            self._move(portions, [move_of(portion, []) for portion in portions])
            return
        topics = {record.topic for _, outgoing in commit.outgoing for record in outgoing}
        if commit.dead or any(portion.dead for portion in portions):
            topics.add(dlq.topic_for(self._service).name)
        await self._publisher.know(topics)
        prepared = prepare(self._service, portions, commit, self._stamps, self._like_ours(topics, portions))
        await self._save_and_send(portions, prepared, commit.save, commit.after, started)
        for dead in commit.dead:
            self._metrics.dead(dead.code)

    async def _park(self, portion: Portion) -> None:
        """The record failed every time: in place of being applied, it is noted by the handler and dead-lettered."""
        record, error = portion.fresh[0], portion.partition.error or Exception("unknown")
        message = f"{type(error).__name__}: {error}"
        say_parked(record, message)
        letter = dead_letter(self._service, record, "failed", message, attempts=portion.partition.tries)
        await self._publisher.know({letter.topic})
        prepared = Prepared([move_of(portion, [])], {record.partition: []})
        name = prepared.moves[0].name

        async def save(connection: Connection) -> None:
            given_up = portion.partition.tries >= PARK_TRIES
            said = [] if given_up else await self._handler.park(record, error, connection)
            made = self._stamps.stamped(record, said, set(), portion.hold.incarnation)
            check_sizes(made)
            prepared.records[record.partition] = [*made, letter]
            await outbox.add(connection, self.topic, record.partition, name, [*made, letter])

        await self._save_and_send([portion], prepared, save, None, time.monotonic())
        self._metrics.dead("failed")

    async def _save_and_send(
        self,
        portions: list[Portion],
        prepared: Prepared,
        save: Callable[[Connection], Awaitable[None]],
        after: Callable[[], Awaitable[None] | None] | None,
        started: float,
    ) -> None:
        async with self._connection.lock:
            await failpoint("before_txn")
            await failpoint_of("before_txn_of_actions", prepared.writes_actions)
            begun = time.monotonic()
            deleted = self._outlet.published[:200]

            async def work(connection: Connection) -> None:
                await advance(connection, self.topic, prepared.moves, deleted)
                await save(connection)

            await self._connection.transaction(work)
            self._brake.went_on()
            self._size.went_on()
            del self._outlet.published[: len(deleted)]
            self._metrics.commit_seconds.observe(time.monotonic() - begun)
            await failpoint("after_commit")
            await failpoint_of("after_commit_of_actions", prepared.writes_actions)
            stored(prepared.moves)
            self._move(portions, prepared.moves)
            parts = [portion.partition for portion in portions]
            await self._outlet.send(
                [
                    CommittedRow(part, move.hold, move.name, prepared.records[move.hold.part])
                    for part, move in zip(parts, prepared.moves, strict=True)
                ]
            )
        await self._run_after(after)
        self._metrics.batch_seconds.observe(time.monotonic() - started)

    def _move(self, portions: list[Portion], moves: list[CheckpointMove]) -> None:
        """The records are applied: the next ones come after them."""
        for portion, move in zip(portions, moves, strict=True):
            hold, part = move.hold, portion.partition
            hold.next_offset, hold.last_id = move.new, move.last_id
            if move.seen is not None:
                hold.seen = move.seen
            if part.hold is hold and part.state is State.READY:
                part.drop(len(portion.records))
            self._metrics.repeats.inc(len(portion.repeats))
            for dead in portion.dead:
                self._metrics.dead(dead.code)
            self._metrics.records.inc(len(portion.records))
        self._metrics.batches.inc()
        self._metrics.batch_records.observe(sum(len(portion.records) for portion in portions))

    def _failed(self, portions: list[Portion], error: Exception) -> None:
        """Nothing is known to be saved: back to the checkpoint; a record's own fault is looked for one by one."""
        cause = error.cause if isinstance(error, OutcomeUnknown) else error
        held = is_infrastructure(cause)
        self._brake.failed(cause)
        self._size.failed(sum(len(portion.records) for portion in portions), cause)
        alone = goes_alone(portions)
        log.warning("batch.failed", topic=self.topic, held=held, alone=alone, error=f"{type(cause).__name__}: {cause}")
        for portion in portions:
            part = portion.partition
            if part.hold is not portion.hold:
                continue
            part.failed(portion.records[-1].offset, cause, alone=alone, held=held)
            self._recover(part, portion.hold, "infrastructure" if held else "record")

    def _recover(self, part: Partition, hold: Hold, cause: str) -> None:
        """Recover the partition, unless that has begun since the hold was got."""
        if part.hold is hold:
            self._reader.pause(part.number)
            self._assignment.recover(part, cause)

    def _on_ready(self, part: Partition) -> None:
        log.info("partition.ready", topic=self.topic, partition=part.number, position=part.position)
        self._assignment.changed.set()
        self._work.set()
        self._reader.wake()  # What it had waiting is forgotten: there may be room again.

    def _like_ours(self, topics: set[str], portions: list[Portion]) -> set[str]:
        """Those of the topics that have as many partitions as the one that is read; what is stopped may know of fewer."""
        counts = {portion.hold.partitions for portion in portions}
        return {topic for topic in topics if counts == {self._publisher.count(topic)}}

    async def _run_after(self, after: Callable[[], Awaitable[None] | None] | None) -> None:
        try:
            if after is not None and isawaitable(result := after()):
                await result
        except Exception:
            log.exception("commit.after_failed", topic=self.topic)

    async def _work_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._work.wait()
        except TimeoutError:
            return False
        return True

    async def _stop(self, applying: list[asyncio.Task[None]], helpers: list[asyncio.Task[None]]) -> None:
        await self.close()
        await asyncio.wait(applying, timeout=DRAIN_SECONDS)
        for task in applying:
            task.cancel()
        await self._recovery.close()
        await self._outlet.drained(DRAIN_SECONDS)
        if self._outlet.published:
            await self._outlet.delete_published()
        await self._positions.save()
        await self._upkeep.last()
        for task in helpers:
            task.cancel()
        await asyncio.gather(*applying, *helpers, return_exceptions=True)

    async def _let_go(self) -> None:
        """Also when `run` is cancelled while it stops: a pool does not close while a connection is out."""
        await self._connection.close()
        if self._own_publisher:
            await self._publisher.stop()
