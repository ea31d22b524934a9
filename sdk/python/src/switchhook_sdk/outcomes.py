"""What became of commands: the events `command.accepted` and `command.rejected`, by the command's id."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from aiokafka import ConsumerRecord
from faststream import AckPolicy

from contracts import cloudevents
from contracts.event_data import CommandAcceptedData, CommandRejectedData, EventProblem
from switchhook_sdk.batches import Kafka, read_batches
from switchhook_sdk.event import CloudEvent, Unreadable, headers_of, kind_of, read, text

log = logging.getLogger("switchhook_sdk")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of the command `id`. `event_id`: what GET /v1/events/{id} takes.

    `sent`: Kafka has it, and nobody waited. `started`: the flow began. `accepted`: it was taken, and what follows is told by
    other events; with `contact_id` it was applied to that contact. `rejected`: nothing of it was done, for the reason in `problem`.
    """

    id: str
    status: Literal["sent", "started", "accepted", "rejected"]
    event_id: str | None = None
    problem: EventProblem | None = None
    contact_id: str | None = None


class OutcomeUnknown(TimeoutError):
    """The command `id` may be done or not. The same command under the same id is safe: it is done once."""

    def __init__(self, id: str, why: str) -> None:
        super().__init__(
            f"{why}: whether the command {id!r} is done is not known. Send the same command with id={id!r} again, it is done once."
        )
        self.id = id


class Outcomes:
    """Reads the events of all partitions from now on, in no group: the outcome has to come to the process that waits.

    `project`: whose commands they are; None: the topic has one project's events only.
    """

    def __init__(self, kafka: Kafka, topic: str, project: str | None) -> None:
        self._project = project
        self._waiting = defaultdict[str, list[asyncio.Future[Outcome]]](list)
        self._subscriber = read_batches(
            kafka, topic, self.take, group_id=None, auto_offset_reset="latest", ack_policy=AckPolicy.MANUAL
        )

    async def after(self, id: str, send: Callable[[], Awaitable[None]], seconds: float) -> Outcome:
        """Send the command and wait for its outcome. Raises OutcomeUnknown."""
        told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[id].append(told)
        try:
            async with asyncio.timeout(seconds):
                await self._listening()
                await send()
                return await told
        except OutcomeUnknown:
            raise
        except TimeoutError:
            raise OutcomeUnknown(id, f"nothing was told within {seconds:g} s") from None
        finally:
            self._waiting[id].remove(told)
            if not self._waiting[id]:
                del self._waiting[id]

    async def _listening(self) -> None:
        """Return once it is settled from where on events are read: an outcome after that is not missed."""
        consumer = self._subscriber.consumer  # None under FastStream's TestKafkaBroker.
        for partition in consumer.assignment() if consumer is not None else ():
            await consumer.position(partition)

    async def take(self, batch: Any) -> None:
        """Tell those who wait."""
        batch.clear_cache()
        for record in batch.raw_message if self._waiting else ():
            try:
                event = self._outcome(record)
            except Unreadable as unreadable:
                log.warning("an outcome cannot be read: %s", unreadable)
                continue
            if event is not None:
                self._tell(_outcome_of(event))

    def _tell(self, outcome: Outcome) -> None:
        for told in self._waiting.get(outcome.id, ()):
            if not told.done():
                told.set_result(outcome)

    def _outcome(self, record: ConsumerRecord[Any, Any]) -> CloudEvent[Any] | None:
        headers = headers_of(record)
        type = (headers.get("ce_type") or b"").removeprefix(cloudevents.TYPE_PREFIX.encode())
        if type not in (b"command.accepted", b"command.rejected"):
            return None
        ours = self._project in (None, text(headers, cloudevents.PROJECT))
        return read(record, headers, kind_of(headers)) if ours else None


def _outcome_of(event: CloudEvent[Any]) -> Outcome:
    data: CommandAcceptedData | CommandRejectedData = event.data
    id = data.command.id or ""
    if isinstance(data, CommandRejectedData):
        return Outcome(id, "rejected", data.event_id, data.problem)
    return Outcome(id, data.status, data.event_id, contact_id=data.contact_id)
