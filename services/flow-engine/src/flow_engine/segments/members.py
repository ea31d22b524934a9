"""Pages of a segment's members, and their number."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

import asyncpg

from contracts.registry import Bot, Segment
from flow_engine.segments.people import person
from flow_engine.segments.walker import Ask, read_filter
from flow_engine.store import contact_lists
from flow_engine.store.contact_lists import FIRST_PARAMETER, ContactPage, Filter, Listed, Place
from flow_engine.store.segment_sql import condition, label_of
from flowlang.segments.filter import SegmentFilter
from servicekit.loop.batches import Infrastructure
from servicekit.workers.forking import ForkerGone
from servicekit.workers.line import Limits
from servicekit.workers.pool import Ended, HasWorkers

LIMITS = Limits(cpu=1.0, seconds=5.0)
"""Of asking a filter of some contacts."""
AT_ONCE = 50
"""Contacts that are read and asked at a time by a walk."""
PAGE_SECONDS = 1.0
"""After so long a page of a walk ends with the contacts that it has found."""
MOST_COUNTED = 10_000
COUNT_SECONDS = 2.0
COUNTED_AT_ONCE = 5_000

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Evaluated = Literal["query", "walk"]

__all__ = ["Counted", "Members", "Segments", "evaluated", "read_filter", "segment_of"]


class Members(NamedTuple):
    """`items`: ids of contacts, the one made last first. `next` None: there are no more."""

    items: list[str]
    next: Place | None


class Counted(NamedTuple):
    """`is_exact` False: there are so many at least, and counting more takes too long."""

    number: int
    is_exact: bool


class View(Protocol):
    """What is needed of the registry view."""

    def get(self, kind: str, id: str) -> Any:
        """An entity by id, or None."""
        ...

    def find(self, kind: str, index: str, key: Any) -> Any:
        """An entity by an index, or None."""
        ...


def segment_of(view: View, project_id: str, id_or_name: str) -> Segment | None:
    """A project's segment."""
    found: Segment | None = view.get("segment", id_or_name)
    if found is None or found.project_id != project_id:
        found = view.find("segment", "name", (project_id, id_or_name))
    return found


def evaluated(filter: SegmentFilter) -> Evaluated:
    """How its members are found."""
    return "query" if condition(filter, "", datetime.now(UTC), FIRST_PARAMETER) is not None else "walk"


class Segments:
    """One per process."""

    def __init__(self, workers: HasWorkers) -> None:
        """Of segments.walker.TARGET."""
        self._workers = workers

    async def members(self, pool: Pool, bot: Bot, filter: SegmentFilter, after: Place | None, limit: int) -> Members:
        """At most `limit` members behind a place. Raises Infrastructure where no worker process can be had.

        No connection is held while a filter is asked of contacts.
        """
        asked = _narrowed(Filter(bot.id), bot.project_id, filter)
        if asked.condition is None:
            walked = await self.page(pool, bot.project_id, Filter(bot.id), filter, after, limit)
            return Members([listed.contact.id for listed in walked.items], walked.next)
        async with pool.acquire() as connection:
            return Members(*await contact_lists.ids(connection, asked, after, limit))

    async def page(
        self, pool: Pool, project_id: str, asked: Filter, filter: SegmentFilter, after: Place | None, limit: int
    ) -> ContactPage:
        """At most `limit` of the contacts that are asked for and are members. Raises Infrastructure."""
        asked = _narrowed(asked, project_id, filter)
        if asked.condition is not None:
            async with pool.acquire() as connection:
                return await contact_lists.page(connection, asked, after, limit)
        return await self._walked(pool, project_id, asked, filter, after, limit)

    async def count(self, pool: Pool, project_id: str, asked: Filter, filter: SegmentFilter | None) -> Counted:
        """How many contacts are asked for, and are members where there is a filter: exactly up to MOST_COUNTED, where that
        takes no more than COUNT_SECONDS. Raises Infrastructure."""
        until, count, after = time.monotonic() + COUNT_SECONDS, 0, None
        if filter is not None:
            asked = _narrowed(asked, project_id, filter)
        while count <= MOST_COUNTED and time.monotonic() < until:
            if filter is not None and asked.condition is None:
                walked = await self._walked(pool, project_id, asked, filter, after, MOST_COUNTED)
                more, after = len(walked.items), walked.next
            else:
                async with pool.acquire() as connection:
                    more, after = await contact_lists.count(connection, asked, after, COUNTED_AT_ONCE)
            count += more
            if after is None:
                return Counted(min(count, MOST_COUNTED), count <= MOST_COUNTED)
        return Counted(min(count, MOST_COUNTED), is_exact=False)

    async def _walked(
        self, pool: Pool, project_id: str, asked: Filter, filter: SegmentFilter, after: Place | None, limit: int
    ) -> ContactPage:
        until, now, found, looked_at = time.monotonic() + PAGE_SECONDS, datetime.now(UTC), list[Listed](), 0
        while looked_at < contact_lists.CANDIDATES:
            async with pool.acquire() as connection:
                some = await contact_lists.page(connection, asked, after, AT_ONCE)
            looked_at, after = looked_at + AT_ONCE, some.next
            members = await self._members_of(project_id, some, filter, now)
            for place, listed in members:
                found.append(listed)
                if len(found) == limit:
                    is_last = after is None and place == some.places[-1]
                    return ContactPage(found, None if is_last else place)
            if after is None or time.monotonic() > until:
                break
        return ContactPage(found, after)

    async def _members_of(
        self, project_id: str, page: ContactPage, filter: SegmentFilter, now: datetime
    ) -> list[tuple[Place, Listed]]:
        people = [filter.seen(person(listed)) if listed.project_id == project_id else None for listed in page.items]
        theirs = [one for one in people if one is not None]
        answers = iter(await self._asked(project_id, filter.source, now, theirs))
        are_members = [one is not None and next(answers) for one in people]
        return [one for one, is_in in zip(zip(page.places, page.items, strict=True), are_members, strict=True) if is_in]

    async def _asked(self, project_id: str, source: str, now: datetime, people: Sequence[dict[str, Any]]) -> list[bool]:
        """A contact over whom the worker ends is no member."""
        found: list[bool] = []
        while len(found) < len(people):
            rest = people[len(found) :]
            try:
                found += await self._in_worker(project_id, Ask(source, now, rest))
            except Ended as ended:
                if not ended.by_limit:
                    raise Infrastructure(f"a worker process ended: {ended}") from ended
                if len(rest) == 1:
                    return [*found, False]
                half = len(rest) // 2
                found += await self._asked(project_id, source, now, rest[:half])
        return found

    async def _in_worker(self, project_id: str, task: Ask) -> list[bool]:
        try:
            async with self._workers.worker(project_id) as worker:
                answer: list[bool] = (await worker.ask(task, LIMITS))[0]
        except ForkerGone as error:
            raise Infrastructure("no worker process can be started") from error
        return answer


def _narrowed(asked: Filter, project_id: str, filter: SegmentFilter) -> Filter:
    """With the filter as a condition, where it can be one."""
    found = condition(filter, project_id, datetime.now(UTC), FIRST_PARAMETER)
    return asked._replace(condition=found, label=label_of(filter))
