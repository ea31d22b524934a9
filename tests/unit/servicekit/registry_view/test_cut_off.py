"""A view tells what holds no more, also after it could not read its topic for so long that deletions may be gone from it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from contracts import registry
from contracts.registry import Snapshot
from servicekit.kafka import assigned_reader
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import incarnations
from servicekit.kafka.records import Outgoing, Record
from servicekit.registry_view.view import RegistryView
from support.registry_records import snapshot, token
from support.waiting import eventually

HOUR = 3600.0


class Broker:
    """Has one log. `compacted` are offsets whose records are gone."""

    def __init__(self, *records: Outgoing) -> None:
        self.records = list(records)
        self.compacted: set[int] = set()
        self.away, self.refused = False, 0

    def reach(self) -> None:
        self.refused += self.away
        if self.away:
            raise KafkaConnectionError("away")


class Consumer:
    """What the reader asks of aiokafka's."""

    def __init__(self, broker: Broker) -> None:
        self.broker, self.at = broker, 0

    async def start(self) -> None:
        self.broker.reach()

    async def stop(self) -> None:
        """Nothing is held."""

    def assign(self, partitions: list[TopicPartition]) -> None:
        """There is one."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.at = offset

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.broker.reach()
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        self.broker.reach()
        return {tp: len(self.broker.records) for tp in partitions}

    async def position(self, tp: TopicPartition) -> int:
        return self.at

    def end_seen(self, tp: TopicPartition, seconds: float) -> int | None:
        return None if self.broker.away else len(self.broker.records)

    async def getmany(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        await asyncio.sleep(0.001)
        self.broker.reach()
        log = enumerate(self.broker.records)
        found = [Record("r", 0, n, 0, each.key, each.value) for n, each in log if n >= self.at]
        self.at = len(self.broker.records)
        return {
            TopicPartition("switchhook.registry.v1", 0): [r for r in found if r.offset not in self.broker.compacted]
        }


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker(token("r", "a"), token("r", "b"), snapshot("r", token=2))

    async def topic_state(*_: Any) -> incarnations.TopicState:
        made.reach()
        return incarnations.TopicState("id", {})

    monkeypatch.setattr(assigned_reader, "make_consumer", lambda *_, **__: Consumer(made))
    monkeypatch.setattr(assigned_reader.consumers, "topic_state", topic_state)
    monkeypatch.setattr(assigned_reader.consumers, "fetcher_ended", lambda _: False)
    return made


@pytest.mark.parametrize(("hours", "trusted"), [(11, True), (13, False)])
async def test_a_deletion_that_left_the_topic_while_the_view_was_cut_off(
    broker: Broker, hours: int, trusted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept, clock = [0.0], time.clock_gettime
    monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + slept[0])
    view, changes = RegistryView(Cluster("no-kafka:9092", "")), list[tuple[str, str, Any]]()
    view.on_change(lambda *change: changes.append(change))
    await view.start()
    try:
        await eventually(lambda: view.ready and view.problem() is None)
        broker.away = True
        await eventually(lambda: broker.refused > 1)
        slept[0] = hours * HOUR
        assert ("not reached for 12 h" in (view.problem() or "")) is not trusted
        broker.compacted = {1}
        broker.records.append(snapshot("r", token=1))
        changes.clear()
        broker.away = False
        await eventually(lambda: view.offset == len(broker.records) - 1 and view.problem() is None)
        assert (view.get("token", "b") is None) is not trusted
        assert changes == ([] if trusted else [("token", "b", None)])
    finally:
        await view.stop()


async def test_who_remembers_tokens_hears_of_those_that_are_refused_and_no_more(broker: Broker) -> None:
    """After a restore: what a listener has proved of such a token holds no more, though its entity has not changed."""
    view, changes = RegistryView(Cluster("no-kafka:9092", "")), list[tuple[str, str, Any]]()
    view.on_change(lambda *change: changes.append(change))
    await view.start()
    try:
        await eventually(lambda: view.ready)
        known = view.get("token", "a")
        for refused in (("a",), None):
            changes.clear()
            marker = Snapshot(generation=1, counts={}, refused_tokens=refused).encode()
            broker.records.append(Outgoing("r", registry.SNAPSHOT_KEY.encode(), marker, []))
            await eventually(lambda: changes)
            assert changes == [("token", "a", None if refused else known)]
    finally:
        await view.stop()


def test_it_is_trusted_for_half_of_what_tombstones_stay() -> None:
    assert registry.TOPIC.config["delete.retention.ms"] == f"{2 * registry.VIEW_TRUSTED_SECONDS * 1000:.0f}"
