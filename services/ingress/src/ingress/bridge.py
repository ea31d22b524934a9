"""From commands.v1 to inbound: at least once, and known by its event id when it comes again.

A batch is judged, what is accepted is produced in the order it came, each outcome is an event, and only when Kafka has all
of it the offsets are committed. Ingress has no Postgres, so there is no fence: a repeat is the engine's to know.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from contracts import commands
from contracts.events import EventType
from contracts.ids import derived_id
from ingress.command_intake import Accepted, CommandIntake, Rejected, Who
from ingress.intake import Intake
from ingress.ports import Publishing
from ingress.problems import as_body
from servicekit.kafka_consumer import make_consumer
from servicekit.kafka_records import Outgoing, Record, dead_letter
from servicekit.metrics import counter
from servicekit.problems import ProblemError
from servicekit.publisher import NotAcknowledged

GROUP = "switchhook-ingress-commands"
BATCH = 250
RETRY_SECONDS = 1.0

log = structlog.get_logger()


class Bridge:
    """Consumes commands for ever; every error of Kafka is waited out."""

    def __init__(
        self,
        kafka: str,
        instance: str,
        session_timeout: float,
        judge: CommandIntake,
        intake: Intake,
        publisher: Publishing,
    ) -> None:
        self._kafka, self._instance, self._session_timeout = kafka, instance, session_timeout
        self._judge, self._intake, self._publisher = judge, intake, publisher
        self._applied = counter("switchhook_records_total").labels(commands.TOPIC.name)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            consumer = make_consumer(
                self._kafka,
                client_id=f"ingress-{self._instance}",
                group=GROUP,
                instance=f"ingress-{self._instance}",
                session_timeout=self._session_timeout,
            )
            try:
                consumer.subscribe([commands.TOPIC.name])
                await consumer.start()
                await self._consume(consumer)
            except (KafkaError, OSError) as error:
                log.warning("bridge.restarted", error=type(error).__name__)
            finally:
                await _stop(consumer)
            await asyncio.sleep(RETRY_SECONDS)

    async def _consume(self, consumer: AIOKafkaConsumer) -> None:
        while True:
            try:
                polled = await consumer.getmany(timeout_ms=1_000, max_records=BATCH)
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                await _begin(consumer, error)
                continue
            if not polled:
                continue
            await self._take([record for records in polled.values() for record in records])
            try:
                await consumer.commit({partition: records[-1].offset + 1 for partition, records in polled.items()})
            except (KafkaError, IllegalStateError) as error:
                # Another replica has the partition now: it takes the batch again, and the event ids are the same.
                log.warning("bridge.not_committed", error=type(error).__name__)

    async def _take(self, records: list[Record]) -> None:
        """Return once Kafka has everything that follows from these records; until then try again."""
        while True:
            try:
                await self.apply(records)
                return
            except NotAcknowledged:
                log.warning("bridge.waiting", reason="Kafka did not acknowledge")
            except ProblemError as unknown:
                log.warning("bridge.waiting", reason=unknown.detail)
            await asyncio.sleep(RETRY_SECONDS)

    async def apply(self, records: list[Record]) -> None:
        """Judge a batch, produce it, tell the outcomes. Raises NotAcknowledged or ProblemError 503: nothing is over yet."""
        judged = [(record, await self._judged(record)) for record in records]
        made = [result.record for _, result in judged if isinstance(result, Accepted)]
        if made:
            await self._publisher.publish_many(made)
        told = [told for record, result in judged for told in self._outcome(record, result)]
        if told:
            await self._publisher.publish_many(told)
        self._applied.inc(len(records))

    async def _judged(self, record: Record) -> Accepted | Rejected:
        try:
            return await self._judge.judge(record)
        except ProblemError:
            raise
        except Exception as error:
            # A bug on one record must not hold the partition: it is parked with its reason.
            log.exception("bridge.failed", partition=record.partition, offset=record.offset)
            problem = ProblemError("failed", 500, "Failed", type(error).__name__)
            return Rejected(None, problem, "failed")

    def _outcome(self, record: Record, result: Accepted | Rejected) -> list[Outgoing]:
        """The event that tells of it, and the dead letter. Of a start the engine tells: it decides on S6."""
        if isinstance(result, Accepted):
            return [self._event("command.accepted", result.who, {"status": "accepted"})] if result.judged else []
        told = [self._rejected(result.who, result.problem)] if result.who is not None else []
        if result.dead is not None:
            detail = result.problem.detail or result.problem.title
            counter("switchhook_dead_letters_total").labels(record.topic, result.dead).inc()
            told.append(dead_letter("ingress", record, result.dead, detail))
        return told

    def _rejected(self, who: Who, problem: ProblemError) -> Outgoing:
        return self._event("command.rejected", who, {"problem": as_body(problem)})

    def _event(self, type: EventType, who: Who, more: dict[str, Any]) -> Outgoing:
        command = {**who.data.get("command", {}), "id": who.ce_id}
        data = {**who.data, "event_id": who.event_id, "command": command, **more}
        key = who.data["bot"]["id"] if "bot" in who.data else who.project_id
        return self._intake.event(
            type, data, id=derived_id("command-outcome", who.event_id), key=key, project_id=who.project_id
        )


async def _begin(consumer: AIOKafkaConsumer, error: KafkaError) -> None:
    """Start at the log's beginning: a new group, or one that retention has overtaken (which is said loudly)."""
    if isinstance(error, OffsetOutOfRangeError):
        partitions = list(error.args[0])
        log.error("bridge.commands_lost", partitions=[partition.partition for partition in partitions])
    else:
        partitions = [error.args[0]]
    await consumer.seek_to_beginning(*partitions)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    try:
        await consumer.stop()
    except (KafkaError, OSError) as error:
        log.info("bridge.stopped_roughly", error=type(error).__name__)
