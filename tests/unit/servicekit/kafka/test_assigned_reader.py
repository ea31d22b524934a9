"""A reader without a group goes on whatever becomes of its consumer: without a broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from servicekit.kafka import assigned_reader
from servicekit.kafka.assigned_reader import AssignedReader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka.incarnations import TopicState

TP = TopicPartition("t", 0)


class Consumer:
    """One with a record at offset 0. Where its fetcher has `ended` it gets nothing, and says nothing of it."""

    def __init__(self, *, ended: bool) -> None:
        self._fetcher = SimpleNamespace(error_future=asyncio.get_running_loop().create_future())
        self._at, self._ended = 0, ended
        self.asked, self.seen = 0, 1
        if ended:
            self._fetcher.error_future.set_result(None)

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def assign(self, _: Any) -> None: ...

    def seek(self, _: Any, at: int) -> None:
        self._at = at

    async def position(self, _: Any) -> int:
        return self._at

    async def beginning_offsets(self, _: Any) -> dict[TopicPartition, int]:
        return {TP: 0}

    async def end_offsets(self, _: Any) -> dict[TopicPartition, int]:
        self.asked += 1
        return {TP: 1}

    def end_seen(self, _: Any, seconds: float) -> int | None:
        return self.seen

    async def getmany(self, **_: Any) -> dict[TopicPartition, list[Any]]:
        await asyncio.sleep(0)
        if self._ended or self._at:
            return {}
        self._at = 1
        return {TP: ["record"]}


async def test_a_reader_whose_fetching_has_ended_begins_anew_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [Consumer(ended=False), Consumer(ended=True)]

    async def state(*_: Any) -> TopicState:
        return TopicState("id", {})

    monkeypatch.setattr(assigned_reader, "make_consumer", lambda *_, **__: made.pop())
    monkeypatch.setattr(assigned_reader.consumers, "topic_state", state)
    monkeypatch.setattr(assigned_reader.asyncio, "sleep", _without_pauses(asyncio.sleep))
    received: asyncio.Queue[Any] = asyncio.Queue()
    reader = AssignedReader(Cluster("-"), "t", client_id="c", begin="start", receive=received.put_nowait)
    running = asyncio.create_task(reader.run())
    async with asyncio.timeout(5):
        assert await received.get() == ["record"]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(("seen", "asks"), [(1, 1), (2, 2), (None, 2)], ids=["at the end", "behind", "no answer"])
async def test_kafka_is_not_asked_for_an_end_that_a_fetch_has_told(
    monkeypatch: pytest.MonkeyPatch, seen: int | None, asks: int
) -> None:
    looks: asyncio.Queue[None] = asyncio.Queue()

    async def state(*_: Any) -> TopicState:
        looks.put_nowait(None)
        return TopicState("id", {})

    made = Consumer(ended=False)
    made.seen = seen
    monkeypatch.setattr(assigned_reader, "make_consumer", lambda *_, **__: made)
    monkeypatch.setattr(assigned_reader.consumers, "topic_state", state)
    monkeypatch.setattr(assigned_reader, "CHECK_SECONDS", 0.001)
    reader = AssignedReader(Cluster("-"), "t", client_id="c", begin="start", receive=lambda _: None)
    running = asyncio.create_task(reader.run())
    async with asyncio.timeout(5):
        for _ in range(3):  # At its start, at the first check, and once that is over.
            await looks.get()
    assert min(made.asked, 2) == asks
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_reader_whose_fetches_are_answered_wrongly_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log goes on, Kafka says so when it is asked, and fetches are answered as if there were nothing more."""
    made = asyncio.Queue[Consumer]()

    async def state(*_: Any) -> TopicState:
        return TopicState("id", {})

    async def end_offsets(_: Any) -> dict[TopicPartition, int]:
        return {TP: 2}

    def make(*_: Any, **__: Any) -> Consumer:
        consumer = Consumer(ended=False)
        consumer.end_offsets = end_offsets  # type: ignore[method-assign]
        made.put_nowait(consumer)
        return consumer

    monkeypatch.setattr(assigned_reader, "make_consumer", make)
    monkeypatch.setattr(assigned_reader.consumers, "topic_state", state)
    monkeypatch.setattr(assigned_reader.asyncio, "sleep", _without_pauses(asyncio.sleep))
    for name, seconds in (("CHECK_SECONDS", 0.001), ("ASK_SECONDS", 0.01), ("STUCK_SECONDS", 0.3)):
        monkeypatch.setattr(assigned_reader, name, seconds)
    reader = AssignedReader(Cluster("-"), "t", client_id="c", begin="start", receive=lambda _: None)
    running = asyncio.create_task(reader.run())
    async with asyncio.timeout(5):
        await made.get()
        await made.get()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _without_pauses(sleep: Any) -> Any:
    return lambda _: sleep(0)
