"""Days of deliveries and attempts: made before they are needed, dropped when their time is over."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta

import structlog

from contracts.cloudevents import now_text
from dispatcher.results import reports
from dispatcher.store.port import DeliveryStore, Session
from servicekit.loop.infrastructure import is_infrastructure

AHEAD = 2
EVERY_SECONDS = 3600.0
RETRY_SECONDS = 5.0
WHY = "It outlived the time that deliveries are kept."

log = structlog.get_logger()


async def keep_up_for_ever(store: DeliveryStore, retention_days: int, *, first: asyncio.Event) -> None:
    """Keep up every hour, by the database's date; `first` is set once it was done."""
    while True:
        try:
            await keep_up(store, retention_days)
        except Exception as error:
            if not is_infrastructure(error):
                raise
            log.warning("retention.failed", error=repr(error))
            await asyncio.sleep(RETRY_SECONDS)
            continue
        first.set()
        await asyncio.sleep(EVERY_SECONDS)


async def keep_up(store: DeliveryStore, retention_days: int) -> None:
    """Make the days around today, drop those that are over."""
    async with store.session() as session:
        today = await session.today()
        await session.forget_erased()
        await session.ensure_days(today + timedelta(days=each) for each in range(-1, AHEAD + 1))
    await drop_before(store, today - timedelta(days=retention_days))


async def drop_before(store: DeliveryStore, oldest: date) -> None:
    """Drop the days before `oldest`; a delivery of one that never ended ends, and is told of, first.

    One that is being read stays until the next time.
    """
    async with store.session() as session:
        for day in await session.days_before(oldest):
            unfinished = await _discard_unfinished(store, day)
            if await session.drop_day(day):
                log.info("day.dropped", day=str(day), unfinished=unfinished)


async def _discard_unfinished(store: DeliveryStore, day: date) -> int:
    """End what is unfinished; how many there were."""

    async def work(session: Session) -> int:
        dropped = await session.discard_some(day, WHY)
        outgoing = [record for each in dropped for record in reports.of_dropped(each, WHY, now_text())]
        if outgoing:
            await session.keep_results(outgoing)
        return len(dropped)

    ended = 0
    while some := await store.transaction(work):
        ended += some
    return ended
