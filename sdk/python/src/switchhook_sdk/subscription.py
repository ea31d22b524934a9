"""The events of one group: read in order, given to their handlers, and only then committed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy

from contracts import cloudevents
from switchhook_sdk.batches import Batch, Kafka, read_batches
from switchhook_sdk.event import UnknownType, Unreadable, headers_of, kind_of, read, text
from switchhook_sdk.handlers import Wish

OnUnreadable = Callable[[ConsumerRecord[Any, Any], str], Awaitable[None]]
Start = Literal["earliest", "latest"]
LONGEST_PAUSE_SECONDS = 10.0

log = logging.getLogger("switchhook_sdk")


class Subscription:
    """One for each group: two consumers of one group would each see half of the events.

    A handler that raises gets its event again, after 1 s, then 2, 4, 8 and 10 s, until it succeeds; the events behind it in its
    partition wait. Of a batch that was handled one offset is committed: NACK_ON_ERROR, since FastStream's other policies
    commit before the handler or past what failed.
    """

    def __init__(
        self, kafka: Kafka, topic: str, group: str, *, start: Start, on_unreadable: OnUnreadable | None
    ) -> None:
        self.wishes: list[Wish] = []
        self._on_unreadable, self._told_of = on_unreadable, set[str]()
        self._failures, self._not_before = 0, 0.0
        self._subscriber = read_batches(
            kafka, topic, self.take, group_id=group, auto_offset_reset=start, ack_policy=AckPolicy.NACK_ON_ERROR
        )

    async def take(self, batch: Any) -> None:
        """Handle a batch. What failed comes again; raises that error, so that FastStream logs it and a test sees it."""
        await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
        again, errors = await self._handle(batch)
        batch.clear_cache()  # The batch is its own decoded body: a circle.
        for partition, offset in again.items():
            _seek(batch, partition, offset)
        self._failures = self._failures + 1 if errors else 0
        if errors:
            self._not_before = time.monotonic() + min(2.0 ** (self._failures - 1), LONGEST_PAUSE_SECONDS)
            await _commit(batch)
            raise errors[0] if len(errors) == 1 else ExceptionGroup("several events were not handled", errors)

    async def _handle(self, batch: Batch) -> tuple[dict[TopicPartition, int], list[Exception]]:
        """The partitions that did not come to the batch's end, with the offset to go on from, and why."""
        again, errors = dict[TopicPartition, int](), list[Exception]()
        for record in batch.raw_message:
            partition = TopicPartition(record.topic, record.partition)
            if partition in again:
                continue
            if not self._subscriber.running:  # Somebody waits for us to stop.
                again[partition] = record.offset
                continue
            try:
                await self._apply(record)
            except Exception as error:  # noqa: BLE001  # Whatever it is: the other partitions go on.
                error.add_note(f"of the event at {record.topic}/{record.partition}, offset {record.offset}")
                again[partition] = record.offset
                errors.append(error)
        return again, errors

    async def _apply(self, record: ConsumerRecord[Any, Any]) -> None:
        try:
            headers = headers_of(record)
            kind, project = kind_of(headers), text(headers, cloudevents.PROJECT)
            wishes = [each for each in self.wishes if kind.name in each.types and each.project in (None, project)]
            event = read(record, headers, kind) if wishes else None
        except Unreadable as unreadable:
            await self._skip(record, unreadable)
            return
        for each in wishes:
            assert event is not None
            await each.handler(event)

    async def _skip(self, record: ConsumerRecord[Any, Any], why: Unreadable) -> None:
        """Give it to the hook; without one a line in the log, and for each unknown type a single one."""
        if self._on_unreadable is not None:
            await self._on_unreadable(record, str(why))
        elif str(why) not in self._told_of:
            log.warning("skipped %s/%s, offset %s: %s", record.topic, record.partition, record.offset, why)
            if isinstance(why, UnknownType):
                self._told_of.add(str(why))


def _seek(batch: Any, partition: TopicPartition, offset: int) -> None:
    try:
        batch.consumer.seek(partition=partition, offset=offset)
    except KafkaError:
        log.info("%s/%s went to another member of the group", *partition)


async def _commit(batch: Any) -> None:
    """Where every partition is now; FastStream does the same after a batch without errors."""
    try:
        await batch.ack()
    except KafkaError as error:
        log.warning("offsets were not committed, events may come again: %s", error)
