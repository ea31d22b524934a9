"""Days are made ahead and dropped in time, and nothing ends without a word."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.results import retention
from servicekit.kafka.records import Outgoing
from support.deliveries_in_memory import DeliveriesInMemory
from support.delivering import leased
from support.leased import attempted


def told(store: DeliveriesInMemory) -> list[Outgoing]:
    return [record for _, records in store.tables.outbox.values() for record in records]


async def test_the_days_around_today_are_made_and_those_that_are_over_dropped() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    store, today = DeliveriesInMemory(now=lambda: noon), noon.date()
    store.tables.days = {today - timedelta(days=each) for each in (30, 31, 32)}
    await retention.keep_up(store, 30)
    assert store.tables.days == {today + timedelta(days=each) for each in (-30, -1, 0, 1, 2)}


async def test_what_is_unfinished_of_a_dropped_day_is_told_of_if_somebody_is_to_hear_of_it() -> None:
    store = DeliveriesInMemory()
    day = await store.today() - timedelta(days=40)
    await store.ensure_days([day])
    for kind, event_type in (("event", "tag.added"), ("event", "endpoint.failing"), ("webhook", None), ("call", None)):
        await leased(store, day=day, kind=kind, event_type=event_type)
    finished = await leased(store, day=day)
    await store.record([attempted(finished)], [], [])
    await retention.drop_before(store, day + timedelta(days=1))
    assert [b"too-old" in (record.value or b"") for record in told(store)] == [True, True]
    assert store.tables.rows == {}


async def test_many_are_ended_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.deliveries_in_memory.DISCARDED_AT_ONCE", 2)
    store = DeliveriesInMemory()
    day = await store.today() - timedelta(days=40)
    await store.ensure_days([day])
    for _ in range(5):
        await leased(store, day=day, event_type="tag.added")
    await retention.drop_before(store, day + timedelta(days=1))
    assert (len(told(store)), len(store.tables.outbox)) == (5, 3)


async def test_it_goes_on_when_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RETRY_SECONDS", 0.001)
    store, first, asked = DeliveriesInMemory(), asyncio.Event(), list[int]()
    ensure_days = store.ensure_days

    async def away_at_first(days: object) -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionResetError("away")
        await ensure_days(days)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(store, "ensure_days", away_at_first)
    keeping = asyncio.create_task(retention.keep_up_for_ever(store, 30, first=first))
    async with asyncio.timeout(15):
        await first.wait()
    keeping.cancel()
    assert len(asked) == 2
