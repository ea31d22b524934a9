"""Days are made ahead and dropped in time; nothing ends without a word."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.keys import derived_key
from dispatcher.results.retention import drop_before
from dispatcher.store.postgres import PostgresDeliveries
from support.dispatcher import RunningDispatcher, endpoint
from support.receiver import Receiver
from support.waiting import eventually


def today() -> date:
    """Asked for where it is used: the tests of a run may stand on both sides of midnight."""
    return datetime.now(UTC).date()


async def days(dispatcher: RunningDispatcher) -> list[date]:
    rows = await dispatcher.pool.fetch(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'delivery'::regclass ORDER BY 1"
    )
    return [date.fromisoformat(row[0].rsplit("_", 1)[1]) for row in rows]


async def test_the_days_around_today_are_there_from_the_start(dispatcher: RunningDispatcher) -> None:
    await dispatcher.start()
    await eventually(lambda: _are_around_today(dispatcher))


async def test_an_action_of_an_earlier_day_makes_its_partition_and_one_older_than_retention_is_parked(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.start()
    earlier, ancient = today() - timedelta(days=9), today() - timedelta(days=90)
    await dispatcher.post(f"{sink.url}/ancient", day=ancient.isoformat())
    await dispatcher.post(f"{sink.url}/earlier", day=earlier.isoformat())
    await eventually(lambda: sink.requests_to("/earlier"))
    assert earlier in await days(dispatcher)
    [parked] = await eventually(lambda: dispatcher.out("dlq"))
    assert b"older than deliveries are kept" in (dict(parked.headers)["dlq-error-message"] or b"")


async def test_a_backup_that_is_being_made_neither_waits_for_days_nor_holds_them_up(
    dispatcher: RunningDispatcher,
) -> None:
    """pg_dump holds ACCESS SHARE on all tables for hours: what asks for more waits behind it, and everybody behind that."""
    store, new, old = PostgresDeliveries(dispatcher.pool, DELIVERY_KINDS), date(2030, 1, 1), date(2020, 1, 1)
    async with store.session() as session:
        await session.ensure_days([old])
    async with dispatcher.pool.acquire() as dump:
        transaction = dump.transaction()
        await transaction.start()
        await dump.execute(f"LOCK TABLE delivery, attempt, delivery_{old:%Y%m%d} IN ACCESS SHARE MODE")
        async with store.session() as session:
            await session.ensure_days([new])
        await drop_before(store, new)
        assert await days(dispatcher) == [old, new]
        await transaction.commit()
    await drop_before(store, new)
    await store.close()
    assert await days(dispatcher) == [new]


async def test_the_same_action_written_again_after_midnight_is_one_delivery(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.start()
    id, yesterday = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b7001", (today() - timedelta(days=1)).isoformat()
    for _ in range(2):
        await dispatcher.post(f"{sink.url}/x", id=id, day=yesterday)
    await dispatcher.post(f"{sink.url}/after")
    await eventually(lambda: sink.requests_to("/after"))
    assert len(sink.requests_to("/x")) == 1


async def test_a_dropped_day_ends_what_is_unfinished_with_an_event(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    sink.answer("/x", 500)
    await dispatcher.start()
    id = await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests)
    await eventually(lambda: _retrying(dispatcher))
    await dispatcher.stop()
    store = PostgresDeliveries(dispatcher.pool, DELIVERY_KINDS)
    async with store.session() as session:
        await session.ensure_days([today() + timedelta(days=3)])
    await drop_before(store, today() + timedelta(days=3))
    await store.close()
    assert await dispatcher.row(str(derived_key(id, "e1"))) is None
    await dispatcher.start()
    [event] = await eventually(lambda: dispatcher.events("delivery.exhausted"))
    assert (event["endpoint"], event["error"]["type"]) == ({"id": "e1"}, "too-old")


async def _are_around_today(dispatcher: RunningDispatcher) -> bool:
    return await days(dispatcher) == [today() + timedelta(days=each) for each in (-1, 0, 1, 2)]


async def _retrying(dispatcher: RunningDispatcher) -> bool:
    return await dispatcher.states() == {"retrying": 1}
