"""When timers are looked for, and by whom."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.ids import derived_id
from contracts.inbound import InboundAdapter
from flow_engine.batch.timers import AT_ONCE, BEHIND, FEW, GIVE_WAY_SECONDS, LONGEST_SLEEP, Save, Timers
from flow_engine.state.ids import timer_id
from flow_engine.state.rows import TimerRow
from flow_engine.state.work import Work
from flow_engine.store.port import DueTimers
from servicekit.checkpoints.transactions import OutcomeUnknown
from servicekit.kafka.records import Outgoing, Record
from servicekit.observability.metrics import gauge
from support.conversations_in_memory import ConversationsInMemory
from support.waiting import eventually

KEY = "bot-1/web-1/p1"
NOW = datetime(2026, 11, 21, tzinfo=UTC)


class Loop:
    """Holds partitions as the test says."""

    topic = "inbound"

    def __init__(self, *assigned: int) -> None:
        self.assigned = set(assigned)
        self.made: list[Outgoing] = []
        self.waiting = 0

    def lag(self) -> dict[int, int]:
        return dict.fromkeys(self.assigned, self.waiting)

    async def transact(self, partition: int, save: Save) -> bool:
        if partition not in self.assigned:
            return False
        connection: Any = None
        self.made += await save(connection)
        return True


async def store_with(*due: datetime, part: int = 1) -> ConversationsInMemory:
    """A store in which it is NOW."""
    store, work = ConversationsInMemory(now=lambda: NOW), Work()
    for number, moment in enumerate(due):
        work.start_timers([TimerRow(timer_id(KEY, f"w{number}"), part, KEY, "project-1", f"w{number}", moment)])
    await store.save(work, None)
    return store


async def test_a_due_timer_becomes_an_event_whose_id_follows_from_it() -> None:
    loop = Loop(1)
    timers = Timers(loop, await store_with(NOW, NOW + timedelta(milliseconds=100)))
    await timers.fire_due()
    (made,) = loop.made
    body = InboundAdapter.validate_json(made.value or b"")
    assert (made.topic, made.key, body.wait, body.timer_id) == ("inbound", KEY.encode(), "w0", timer_id(KEY, "w0"))
    assert dict(made.headers)["ce_id"].decode() == derived_id("timer", body.timer_id)
    assert await timers.fire_due() == pytest.approx(0.1)
    assert len(loop.made) == 1


async def test_nothing_is_fired_for_partitions_of_others() -> None:
    for loop in (Loop(), Loop(2)):
        assert await Timers(loop, await store_with(NOW)).fire_due() == LONGEST_SLEEP
        assert loop.made == []


async def test_a_partition_that_was_lost_meanwhile_keeps_its_timers() -> None:
    loop, store = Loop(1), await store_with(NOW)
    look = store.due_timers

    async def as_it_is_lost(parts: list[int]) -> list[DueTimers]:
        loop.assigned.clear()
        return await look(parts)

    store.due_timers = as_it_is_lost  # type: ignore[method-assign]
    await Timers(loop, store).fire_due()
    assert (loop.made, [armed.fired_at for armed in store.armed.values()]) == ([], [None])


async def test_a_commit_whose_outcome_is_not_known_delays_timers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: it ended the process."""
    loop, store = Loop(1), await store_with(NOW)
    transact, unknown = loop.transact, [OutcomeUnknown(ConnectionResetError())]

    async def once_unknown(partition: int, save: Save) -> bool:
        if unknown:
            raise unknown.pop()
        return await transact(partition, save)

    monkeypatch.setattr("flow_engine.batch.timers.LONGEST_SLEEP", 0)
    loop.transact = once_unknown  # type: ignore[method-assign]
    running = asyncio.create_task(Timers(loop, store).run())
    try:
        await eventually(lambda: loop.made)
    finally:
        running.cancel()
    assert len(loop.made) == 1


async def test_more_than_one_transaction_takes_are_fired_without_a_pause() -> None:
    loop = Loop(1)
    timers = Timers(loop, await store_with(*[NOW] * (AT_ONCE + 1)))
    assert await timers.fire_due() == 0
    assert await timers.fire_due() == LONGEST_SLEEP
    assert len(loop.made) == AT_ONCE + 1


async def test_timers_give_way_to_what_waits_to_be_applied() -> None:
    """Seen: 3,000 conversations that waited a second again and again put a queue of 600 records before everybody else's."""
    loop, store = Loop(1), await store_with(*[NOW] * AT_ONCE)
    timers, loop.waiting = Timers(loop, store), BEHIND
    assert await timers.fire_due() == GIVE_WAY_SECONDS
    assert await timers.fire_due() == GIVE_WAY_SECONDS
    assert len(loop.made) == FEW, "so many in half a second, so that nobody's wait for ever"
    loop.waiting = 0
    assert await timers.fire_due() == LONGEST_SLEEP
    assert len(loop.made) == AT_ONCE


async def test_an_outage_delays_timers_and_a_bug_ends_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flow_engine.batch.timers.LONGEST_SLEEP", 0)
    store, errors = await store_with(NOW), [*[ConnectionResetError("away")] * 5, KeyError("a bug")]

    async def failing(parts: list[int]) -> Any:
        raise errors.pop(0)

    store.due_timers = failing  # type: ignore[method-assign]
    with capture_logs() as lines, pytest.raises(KeyError):
        async with asyncio.timeout(10):
            await Timers(Loop(1), store).run()
    assert (errors, [line["event"] for line in lines]) == ([], ["timers.held"])


async def test_the_oldest_erasure_is_told_and_named_once_it_takes_too_long() -> None:
    store, level = ConversationsInMemory(now=lambda: NOW), gauge("switchhook_oldest_erasure_seconds")
    timers = Timers(Loop(0), store)
    await timers.count_erasures()
    assert level._value.get() == 0
    for id, hours in (("new", 1), ("old", 2)):
        store.erasures[id], store.asked_at[id] = {"key": {"flow-engine"}}, NOW - timedelta(hours=hours)
    with capture_logs() as lines:
        await timers.count_erasures()
    assert level._value.get() == 7200
    assert [(line["event"], line["erasure"]) for line in lines] == [("erasure.unfinished", "old")]


async def test_held_conversations_are_counted() -> None:
    """Seen: an alert on a number that nothing set."""
    store = ConversationsInMemory()
    for offset in range(2):
        record = Record("inbound", 0, offset, 0, KEY.encode(), b"{}", ())
        await store.hold(record, f"{KEY}{offset}", "KeyError: a bug", None)
    await Timers(Loop(0), store).count_held()
    assert gauge("switchhook_held_conversations")._value.get() == 2
