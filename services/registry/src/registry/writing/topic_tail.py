"""The registry reads its own topic: what was acknowledged, and what the last record of each key says.

A write is answered when its record came back here, whichever replica published it. A key whose last record is older
than one before it, null, or not readable, is a suspect: the leader compares it with the row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import orjson
from aiokafka.errors import KafkaError

from contracts import registry
from contracts.registry import SNAPSHOT_KEY, Snapshot
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.records import Record

Version = tuple[int, int]
"""(generation, version)."""
ENDED: Version = (0, 0)
"""The last record says nothing: the key is gone from the topic."""
LOOK_SECONDS = 0.2
CATCH_UP_SECONDS = 1.0
"""No longer: the leader publishes nothing meanwhile, and asks again a second later."""
END_SECONDS = 30.0


class TopicTail:
    """`last`: of each key on the topic. `readings` counts how often the topic was read to its end from its start."""

    def __init__(self, cluster: Cluster) -> None:
        topic = registry.TOPIC.name
        self._reader = AssignedReader(
            cluster,
            topic,
            client_id=f"{topic}.tail",
            begin="start",
            receive=self._receive,
            restart=self._restart,
            trusted_seconds=registry.VIEW_TRUSTED_SECONDS,
        )
        self._waiting: dict[str, list[tuple[Version, asyncio.Future[None]]]] = {}
        self._complete, self._unread = asyncio.Event(), asyncio.Event()
        self._unread.set()
        self.last: dict[str, Version] = {}
        self.deleted: set[str] = set()
        """Keys whose last record is a delete marker or a null."""
        self.suspects: set[str] = set()
        self.readings = 0
        self.stack_id: str | None = None
        """Whose topic this is, by its last snapshot marker."""

    async def run(self) -> None:
        """Read for ever; a lost broker is waited for, a topic that was made anew is read from its start."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._reader.run())
            group.create_task(self._count_readings())

    async def read(self) -> None:
        """Return once the topic has been read to its end."""
        await self._complete.wait()

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

    async def _count_readings(self) -> None:
        while True:
            await self._unread.wait()
            if await self._is_read(END_SECONDS):
                self._unread.clear()
                self._complete.set()
                self.readings += 1
            else:
                await asyncio.sleep(LOOK_SECONDS)

    async def caught_up(self) -> bool:
        """Wait a moment until all that is on the topic by now has been read; False when that takes longer."""
        return await self._is_read(CATCH_UP_SECONDS)

    async def _is_read(self, timeout: float) -> bool:
        try:
            return await self._reader.reached(await self._reader.end(timeout), timeout)
        except (KafkaError, OSError):
            return False

    def _restart(self) -> None:
        self.last, self.deleted, self.suspects = {}, set(), set()
        self._complete.clear()
        self._unread.set()

    def _receive(self, records: list[Record]) -> None:
        for record in records:
            self._take((record.key or b"").decode(errors="replace"), record.value)

    def _take(self, key: str, value: bytes | None) -> None:
        if key == SNAPSHOT_KEY:
            self.stack_id = _stack_id(value)
            return
        found, deleted = _state(value)
        (self.deleted.add if deleted else self.deleted.discard)(key)
        if found < self.last.get(key, ENDED) or found == ENDED:
            self.suspects.add(key)
        self.last[key] = found
        self._resolve(key, found)

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


def _stack_id(value: bytes | None) -> str | None:
    try:
        return Snapshot.model_validate_json(value or b"").stack_id
    except ValueError:
        return None


def _state(value: bytes | None) -> tuple[Version, bool]:
    """Version of a record, and whether it deletes. One that is not ours says as little about its key as a null."""
    if value is None:
        return ENDED, True
    try:
        record = orjson.loads(value)
        return (int(record["generation"]), int(record["version"])), bool(record.get("deleted"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ENDED, True
