"""How a group's reader waits for records: without a broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from servicekit.kafka.cluster import Cluster
from servicekit.kafka.group_reader import POLL_MS, GroupReader
from servicekit.kafka.inside_aiokafka import fetching

TP, PATIENCE_MS = TopicPartition("t", 0), 20


class Consumer:
    """Answers with what is in `answers`, then with nothing for ever; notes how long it was asked to wait, and how long a
    fetch was when it was asked."""

    def __init__(self, *answers: dict[TopicPartition, list[Any]]) -> None:
        self._fetcher = SimpleNamespace(_fetch_min_bytes=1, _fetch_max_wait_ms=fetching.WAIT_MS)
        self._answers = list(answers)
        self.asked: list[tuple[int, int]] = []
        self.done = asyncio.Event()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        self.asked.append((timeout_ms, self._fetcher._fetch_max_wait_ms))
        if not self._answers:
            self.done.set()
            await asyncio.Event().wait()
        return self._answers.pop(0)


async def test_who_collects_stops_once_two_fetches_have_brought_nothing() -> None:
    """Else it fetches fifty times a second until it looks round, after each lone record."""
    reader: Any = GroupReader(
        cluster=Cluster("-"), topic="t", group="g", instance="i", session_timeout=1, patience_ms=PATIENCE_MS
    )
    receiver = SimpleNamespace(has_room=lambda: True, receive=lambda *_: None)
    consumer = Consumer({TP: ["record"]}, {})
    pumping = asyncio.create_task(reader._pump(receiver, consumer))
    async with asyncio.timeout(5):
        await consumer.done.wait()
    pumping.cancel()
    await asyncio.wait([pumping])
    assert consumer.asked == [
        (POLL_MS, fetching.WAIT_MS),
        (2 * PATIENCE_MS, PATIENCE_MS),
        (POLL_MS, fetching.WAIT_MS),
    ]
