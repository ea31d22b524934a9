"""The registry reads its own topic: what was acknowledged, and what the last record of each key says.

A write is answered when its record came back here, whichever replica published it. A key whose last record is older
than one before it, or null, is a suspect: the leader compares it with the row (hardening 23).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from contracts.registry import SNAPSHOT_KEY

Version = tuple[int, int]
"""(generation, version)."""
CHECK_SECONDS = 5.0
RETRY_SECONDS = 1.0
ENDED: Version = (0, 0)
"""The last record is null: the key is gone from the topic."""

log = structlog.get_logger()


class TopicTail:
    """`last`: of each key on the topic. `readings` counts how often the topic was read to its end from its start."""

    def __init__(self, kafka: str, topic: str) -> None:
        self._kafka, self._partition = kafka, TopicPartition(topic, 0)
        self._waiting: dict[str, list[tuple[Version, asyncio.Future[None]]]] = {}
        self.last: dict[str, Version] = {}
        self.suspects: set[str] = set()
        self.readings = 0

    async def run(self) -> None:
        """Read for ever; a lost broker is waited for, a topic that was made anew is read from its start."""
        while True:
            try:
                await self._read_from_start()
            except OffsetOutOfRangeError:
                log.warning("registry_topic.recreated")
            except (KafkaError, OSError) as error:
                log.warning("registry_topic.not_there", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def seen(self, wanted: Mapping[str, Version], timeout: float) -> bool:
        """Wait until the topic has these versions, or later ones."""
        waits = [self._wait(key, version) for key, version in wanted.items()]
        if not waits:
            return True
        _, missing = await asyncio.wait(waits, timeout=timeout)
        for wait in missing:
            wait.cancel()
        return not missing

    def _wait(self, key: str, version: Version) -> asyncio.Future[None]:
        wait: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.last.get(key, ENDED) >= version:
            wait.set_result(None)
        else:
            self._waiting.setdefault(key, []).append((version, wait))
        return wait

    async def _read_from_start(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._kafka,
            isolation_level="read_committed",
            auto_offset_reset="none",
            enable_auto_commit=False,
            fetch_max_wait_ms=500,
        )
        await consumer.start()
        try:
            consumer.assign([self._partition])
            await consumer.seek_to_beginning(self._partition)
            self.last, self.suspects = {}, set()
            await self._follow(consumer, await self._end_of_topic(consumer))
        finally:
            with contextlib.suppress(KafkaError):
                await consumer.stop()

    async def _follow(self, consumer: AIOKafkaConsumer, end: int) -> None:
        reading, checked = True, time.monotonic()
        while True:
            fetched = await consumer.getmany(self._partition, timeout_ms=200)
            for record in fetched.get(self._partition, ()):
                self._take(record.key, record.value)
            if reading and await consumer.position(self._partition) >= end:
                reading = False
                self.readings += 1
            if time.monotonic() - checked > CHECK_SECONDS:
                checked = time.monotonic()
                await self._refuse_another_log(consumer)

    async def _end_of_topic(self, consumer: AIOKafkaConsumer) -> int:
        ends = await consumer.end_offsets([self._partition])
        return int(ends[self._partition])

    async def _refuse_another_log(self, consumer: AIOKafkaConsumer) -> None:
        end = await self._end_of_topic(consumer)
        if await consumer.position(self._partition) > end:
            raise OffsetOutOfRangeError({self._partition: end})

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        name = (key or b"").decode(errors="replace")
        if name == SNAPSHOT_KEY:
            return
        found = _version(value)
        if found is None:
            log.error("registry_topic.unreadable", key=name)
            return
        if found < self.last.get(name, ENDED) or found == ENDED:
            self.suspects.add(name)
        self.last[name] = found
        self._resolve(name, found)

    def _resolve(self, key: str, version: Version) -> None:
        still = []
        for wanted, wait in self._waiting.pop(key, ()):
            if wait.done():
                continue
            if version >= wanted:
                wait.set_result(None)
            else:
                still.append((wanted, wait))
        if still:
            self._waiting[key] = still


def _version(value: bytes | None) -> Version | None:
    """Of a record; None when it is not one of ours."""
    if value is None:
        return ENDED
    try:
        record = orjson.loads(value)
        return int(record["generation"]), int(record["version"])
    except (ValueError, KeyError, TypeError):
        return None
