"""A publisher begins anew whatever its producer says: without a broker."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from servicekit.kafka import publisher as module
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.publisher import KafkaPublisher
from support.waiting import eventually


class Producer:
    """One whose start says `error`, if there is one."""

    def __init__(self, error: Exception | None) -> None:
        self._error, self._sender, self._closed = error, SimpleNamespace(sender_task=None), False
        self._message_accumulator = SimpleNamespace(_batches={})
        self.client = self

    async def start(self) -> None:
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Nothing is held."""


@pytest.mark.parametrize("error", [AssertionError("1 should be less than 0"), ValueError("no nonce"), OSError("away")])
async def test_it_connects_again_after_whatever_went_wrong(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """aiokafka asserts what a broker says of its versions, and raises ValueError for what it says at a login."""
    producers: list[Any] = [Producer(None), Producer(error)]
    monkeypatch.setattr(module, "make_producer", lambda *_, **__: producers.pop())
    publisher = KafkaPublisher(Cluster("-"), client_id="c")
    with capture_logs() as logs:
        await publisher.start()
        try:
            await eventually(lambda: publisher.connected)
        finally:
            await publisher.stop()
    said = {(each["event"], each["log_level"]) for each in logs}
    wanted = ("publisher.no_broker", "info") if isinstance(error, OSError) else ("publisher.failed", "error")
    assert wanted in said


async def test_who_writes_nothing_looks_at_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_producer", lambda *_, **__: Producer(None))
    publisher, waits = KafkaPublisher(Cluster("-"), client_id="c"), list[float]()
    loop = asyncio.get_running_loop()
    later = loop.call_later
    monkeypatch.setattr(loop, "call_later", lambda delay, *more, **named: waits.append(delay) or later(delay, *more))
    await publisher.start()
    try:
        await eventually(lambda: publisher.connected)
        for _ in range(5):
            await asyncio.sleep(0)
        assert module.WATCH_SECONDS not in waits
    finally:
        monkeypatch.undo()
        await publisher.stop()
