"""The day partitions of deliveries and attempts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from dispatcher.store.queues import QueueRows
from servicekit import dated_partitions

TABLES = ("delivery", "attempt")
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('dispatcher day partitions'))"
_PARTITIONS = """
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = $1::text::regclass
"""


RECENT = timedelta(days=7)
_LANES_OF = """
SELECT min(old.day) FROM unnest($1::date[]) AS old(day)
 WHERE EXISTS (SELECT FROM delivery d WHERE d.day = old.day AND d.lane IS NOT NULL AND d.finished_at IS NULL)
"""


class DayRows(QueueRows):
    """The part of a session that is about days."""

    async def ensure_days(self, days: Iterable[date]) -> None:
        wanted = set(days)
        async with self._connection.transaction():
            await self._connection.execute(_LOCK)
            for table in TABLES:
                for day in sorted(wanted - await self._days(table)):
                    await dated_partitions.make(
                        self._connection, table, _name(table, day), day, day + timedelta(days=1)
                    )

    async def days_before(self, oldest: date) -> list[date]:
        kept = {day for table in TABLES for day in await self._days(table)}
        return sorted(day for day in kept if day < oldest)

    async def drop_day(self, day: date) -> bool:
        for table in TABLES:
            if not await dated_partitions.drop(self._connection, _name(table, day)):
                return False
        return True

    async def sweep_lanes(self) -> None:
        with self._lane_days.looked_up() as answer:
            recent = await self.today() - RECENT
            old = sorted(day for day in await self._days("delivery") if day < recent)
            answer(await self._connection.fetchval(_LANES_OF, old) or recent)

    async def today(self) -> date:
        today: date = await self._connection.fetchval("SELECT CURRENT_DATE")
        return today

    async def _days(self, table: str) -> set[date]:
        rows = await self._connection.fetch(_PARTITIONS, table)
        return {date.fromisoformat(row["name"].rpartition("_")[2]) for row in rows}


def _name(table: str, day: date) -> str:
    return f"{table}_{day:%Y%m%d}"
