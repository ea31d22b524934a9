"""From commands.v1 to inbound: at least once, and known by its event id when it comes again.

A batch is judged, what is accepted is produced in the order it came, each outcome is an event, and only when Kafka has all
of it the offsets are committed. The engine's word on a start or a write of a contact may take seconds (its conversation is held, or its partition
behind): it is told when it comes, while the batches after it go on, and their offsets wait for it.
Ingress has no Postgres, so there is no fence: a repeat is the engine's to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from functools import partial
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from contracts import commands
from contracts.event_types import EventType
from contracts.groups import BRIDGE
from contracts.ids import derived_id
from contracts.replies import RunReply
from ingress.commands.command_intake import Accepted, CommandIntake, Rejected, Who
from ingress.commands.verdicts import Verdicts
from ingress.intake.publishing import Intake
from ingress.ports import Publishing
from ingress.wire.problems import as_body, of_reply
from servicekit.kafka.clients import make_consumer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import consumers
from servicekit.kafka.one_name import NameTaken, OneName
from servicekit.kafka.publisher import NotAcknowledged, TooLarge, check_sizes
from servicekit.kafka.records import Outgoing, Record, dead_letter
from servicekit.kafka.undisturbed import undisturbed
from servicekit.observability.metrics import counter
from servicekit.observability.repeats import Repeated
from servicekit.web.asking import Question
from servicekit.web.problems import ProblemError

BATCH = 250
RETRY_SECONDS = 1.0
START_SECONDS, COMMIT_SECONDS = 30.0, 5.0
"""While the broker is away each of these would wait for ever."""
NAME_TAKEN_SECONDS = 10.0
"""While another process has our instance name, between two looks at whether it still has."""
UNTOLD_POLL_MS = 100
"""How soon it is looked whether outcomes that were waited for have been told."""
SILENT_SECONDS = 10.0
"""After this long without a command it is checked that there is none."""

log = structlog.get_logger()


Offsets = dict[TopicPartition, int]


class Taken(NamedTuple):
    """A batch that was produced. `offsets`: where to go on once `telling` is done."""

    offsets: Offsets
    telling: list[asyncio.Task[None]]


class Judged(NamedTuple):
    """A command on which the engine has the last word."""

    who: Who
    question: Question


class Stuck(Exception):
    """The consumer gets nothing although there is something to get; a new one is made."""


class Unassigned(Stuck):
    """It is a member of its group and has no partition."""


class Bridge:
    """Consumes commands for ever; every error of Kafka is waited out."""

    _label = commands.TOPIC.name
    """What its metrics call what it reads."""

    def __init__(
        self,
        cluster: Cluster,
        instance: str,
        session_timeout: float,
        judge: CommandIntake,
        intake: Intake,
        publisher: Publishing,
    ) -> None:
        self._cluster, self._instance, self._session_timeout = cluster, instance, session_timeout
        self._judge, self._intake, self._publisher = judge, intake, publisher
        self._name = OneName(instance)
        self._verdicts, self._held_up = Verdicts(publisher), Repeated("bridge.waiting")
        self._applied = counter("switchhook_records_total").labels(self._label)

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._run()
        finally:
            await self._verdicts.stop()

    def problem(self) -> str | None:
        """For readiness: that another process takes commands under our instance name, in a sentence."""
        return self._name.problem(commands.TOPIC.name)

    async def _run(self) -> None:
        while True:
            consumer = make_consumer(
                self._cluster,
                client_id=f"ingress-{self._instance}",
                group=BRIDGE[commands.TOPIC.name],
                instance=f"ingress-{self._instance}",
                session_timeout=self._session_timeout,
            )
            try:
                await undisturbed(consumer.start(), START_SECONDS)
                await self._name.leave_to_another(consumer)
                consumer.subscribe([self._cluster.named(commands.TOPIC.name)])
                await self._consume(consumer)
            except (KafkaError, OSError, TimeoutError, Stuck, NameTaken) as error:
                log.warning("bridge.restarted", error=type(error).__name__)
                pause = self._pause_after(error)
            finally:
                self._name.ended(consumer)
                await consumers.close(consumer)
            await asyncio.sleep(pause)

    def _pause_after(self, error: Exception) -> float:
        """Kafka gives a member that comes back under its name what it had, without dividing the group anew: one that had nothing,
        since the topic was not there, would have nothing for ever. It stays away until Kafka has forgotten it."""
        if isinstance(error, NameTaken):
            return NAME_TAKEN_SECONDS
        return RETRY_SECONDS + (self._session_timeout if isinstance(error, Unassigned) else 0.0)

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        heard, taken = time.monotonic(), deque[Taken]()
        ended: Offsets = {}
        """What is to be committed: also where Kafka did not take it, and no command follows for weeks."""
        try:
            while True:
                await self._look(consumer)
                try:
                    wait_ms = UNTOLD_POLL_MS if taken else 1_000
                    polled = await consumer.getmany(timeout_ms=wait_ms, max_records=BATCH)
                except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                    await _begin(consumer, error)
                    continue
                if polled:
                    heard = time.monotonic()
                    offsets = {partition: records[-1].offset + 1 for partition, records in polled.items()}
                    telling = await self._take([record for records in polled.values() for record in records])
                    taken.append(Taken(offsets, telling))
                elif time.monotonic() - heard > SILENT_SECONDS:
                    await self._check_alive(consumer)
                    heard = time.monotonic()
                ended = await _uncommitted(consumer, ended | told(taken))
        finally:
            await _uncommitted(consumer, ended | told(taken))

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """Before each poll. Raises NameTaken."""
        self._name.check(consumer)

    async def _check_alive(self, consumer: AIOKafkaConsumer) -> None:
        """When nothing was heard for a while. Raises Stuck, Unassigned where there is no partition to hear from: aiokafka has
        states that it does not leave, and a member without partitions is one of them after an outage."""
        if not consumer.assignment():
            raise Unassigned("no partitions")
        await check_progress(consumer)

    async def _take(self, records: list[Record]) -> list[asyncio.Task[None]]:
        """Return once Kafka has everything that is known of these records; until then try again. The tasks tell the rest."""
        while True:
            try:
                return await self.apply(records)
            except NotAcknowledged:
                self._held_up.warn(reason="Kafka did not acknowledge")
            except ProblemError as unknown:
                self._held_up.warn(reason=str(unknown.detail))
            await asyncio.sleep(RETRY_SECONDS)

    async def apply(self, records: list[Record]) -> list[asyncio.Task[None]]:
        """Judge a batch, produce it, tell the outcomes; tasks for those on which the engine has the last word.

        Raises NotAcknowledged or ProblemError 503: nothing is over yet.
        """
        accepted, outcomes, starts = list[Outgoing](), list[Outgoing](), list[Judged]()
        with contextlib.ExitStack() as questions:
            for record, result in zip(records, await self._judge_all(records, questions), strict=True):
                if isinstance(result, Accepted):
                    accepted.append(result.record)
                if (start := self._waited_for(result)) is not None:
                    starts.append(start)
                else:
                    outcomes += self._outcome(record, result)
            for made in filter(None, (accepted, [each for each in outcomes if _fits(each)])):
                await self._publisher.publish_many(made)
            questions.pop_all()
        self._applied.inc(len(records))
        return [
            self._verdicts.tell(start.who.project_id, start.question, partial(self._accepted, start.who))
            for start in starts
        ]

    async def _judge_all(self, records: list[Record], questions: contextlib.ExitStack) -> list[Accepted | Rejected]:
        """At once: what is not known yet is looked for in the registry together, and not one command after the other."""
        judged = await asyncio.gather(*map(self._judged, records), return_exceptions=True)
        for each in judged:
            if isinstance(each, Accepted) and each.question is not None:
                questions.enter_context(each.question)
        for each in judged:
            if isinstance(each, BaseException):
                raise each
        return [each for each in judged if not isinstance(each, BaseException)]

    def _waited_for(self, result: Accepted | Rejected) -> Judged | None:
        """A command on which the engine has the last word, unless its project has as many waiting as it may."""
        if isinstance(result, Rejected) or result.question is None:
            return None
        if self._verdicts.room(result.who.project_id):
            return Judged(result.who, result.question)
        with result.question:
            return None

    async def _judged(self, record: Record) -> Accepted | Rejected:
        try:
            return await self._judge.judge(record)
        except ProblemError:
            raise
        except Exception as error:
            # A bug on one record must not hold the partition: it is parked with its reason.
            log.exception("bridge.failed", topic=record.topic, partition=record.partition, offset=record.offset)
            problem = ProblemError("failed", 500, "Failed", type(error).__name__)
            return Rejected(None, problem, "failed")

    def _outcome(self, record: Record, result: Accepted | Rejected) -> list[Outgoing]:
        """The event that tells of it, and the dead letter."""
        if isinstance(result, Accepted):
            return [self._accepted(result.who, None)]
        told = [self._rejected(result.who, result.problem)] if result.who is not None else []
        if result.dead is not None:
            detail = result.problem.detail or result.problem.title
            counter("switchhook_dead_letters_total").labels(self._label, result.dead).inc()
            told.append(dead_letter("ingress", record, result.dead, detail))
        return told

    def _accepted(self, who: Who, reply: RunReply | None) -> Outgoing:
        """`command.accepted`, or what the engine said against it. No word in time: accepted, as over HTTP."""
        if reply is not None and reply.status == "rejected":
            return self._rejected(who, of_reply(reply.problem))
        is_start = who.data["command"]["kind"] == "start"
        told = {"status": "started" if is_start and reply is not None else "accepted"}
        if reply is not None and reply.contact_id is not None:
            told["contact_id"] = reply.contact_id
        return self._event("command.accepted", who, told)

    def _rejected(self, who: Who, problem: ProblemError) -> Outgoing:
        return self._event("command.rejected", who, {"problem": as_body(problem)})

    def _event(self, type: EventType, who: Who, more: dict[str, Any]) -> Outgoing:
        command = {**who.data.get("command", {}), "id": who.ce_id}
        data = {**who.data, "event_id": who.event_id, "command": command, **more}
        key = who.data["bot"]["id"] if "bot" in who.data else who.project_id
        return self._intake.event(
            type, data, id=derived_id("command-outcome", who.event_id), key=key, project_id=who.project_id
        )


def told(taken: deque[Taken]) -> Offsets:
    """Take away the batches, from the oldest on, all of whose outcomes Kafka has; where to go on after them."""
    offsets: Offsets = {}
    while taken and all(task.done() for task in taken[0].telling):
        batch = taken.popleft()
        for task in batch.telling:
            task.result()  # An error of ours is not swallowed.
        offsets |= batch.offsets
    return offsets


def _fits(outcome: Outgoing) -> bool:
    """An outcome that Kafka would refuse is told in the log: the commands beside it are not held for it."""
    try:
        check_sizes([outcome])
    except TooLarge as error:
        log.error("bridge.outcome_too_large", reason=str(error))
        return False
    return True


async def _uncommitted(consumer: AIOKafkaConsumer, offsets: Offsets) -> Offsets:
    """Commit them; those that are still to be committed. A partition that another replica has now is left out: that one takes the
    batch again, and the event ids are the same."""
    ours = {partition: offset for partition, offset in offsets.items() if partition in consumer.assignment()}
    if ours:
        try:
            await undisturbed(consumer.commit(ours), COMMIT_SECONDS)
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.warning("bridge.not_committed", error=type(error).__name__)
            return ours
    return {}


async def _begin(consumer: AIOKafkaConsumer, error: KafkaError) -> None:
    """Start at the log's beginning: a new group, or one that retention has overtaken (which is said loudly)."""
    if isinstance(error, OffsetOutOfRangeError):
        partitions = list(error.args[0])
        log.error("bridge.commands_lost", partitions=[f"{each.topic} {each.partition}" for each in partitions])
    else:
        partitions = [error.args[0]]
    await consumer.seek_to_beginning(*partitions)


async def check_progress(consumer: AIOKafkaConsumer) -> None:
    """Raises Stuck when commands wait that the consumer does not see."""
    partitions = list(consumer.assignment())
    ends = await undisturbed(consumer.end_offsets(partitions), SILENT_SECONDS)
    for partition, end in ends.items():
        if await undisturbed(consumer.position(partition), SILENT_SECONDS) < end:
            raise Stuck(partition)
