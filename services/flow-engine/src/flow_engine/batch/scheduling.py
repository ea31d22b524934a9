"""Flows' schedules: at each moment that is due, a broadcast of the flow, which the walk of all broadcasts then goes through.

A schedule belongs to a bot and to no conversation: its row says up to which moment it is settled. Whoever settles more locks the row,
and makes the broadcasts in the same transaction; their ids follow from the moments. So engines that look at the same time, or that
are killed, make each of them once, and what they do with each contact is the broadcast's (ADR-0058, ADR-0065).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import orjson
import structlog

from contracts.cloudevents import rfc3339
from contracts.registry import Flow
from flow_engine.batch.timers import HoldsPartitions
from flow_engine.batch.walking import Resting
from flow_engine.catalogue.port import Catalogue
from flow_engine.state.schedules import Due, Plan, due, following, plans_of
from flow_engine.store import broadcasts, schedules
from flow_engine.store.broadcasts import NewBroadcast
from servicekit.database import Pool
from servicekit.failpoints import failpoint
from servicekit.loop.batches import Connection
from servicekit.loop.infrastructure import is_infrastructure
from servicekit.observability.metrics import counter
from servicekit.observability.repeats import Repeated

EVERY = 1.0
"""Seconds between two looks."""
FORGET_EVERY = 60.0
"""Seconds between two looks for broadcasts that are to be deleted."""
MOST_FORGOTTEN = 20
"""Portions of them that are deleted at a time."""
_SCHEDULED = b'"schedules":[{'

log = structlog.get_logger()


class Flows(Protocol):
    """What this asks of the registry view."""

    def ids(self, kind: str) -> list[str]:
        """Of the living entities of that kind."""

    def get(self, kind: str, id: str) -> Flow | None:
        """The entity."""

    def data(self, kind: str, id: str) -> bytes | None:
        """The entity's JSON."""

    def on_change(self, listener: Callable[[str, str, Any], None]) -> None:
        """Call `listener(kind, id, model or None)` at each change from now on."""


class Scheduling:
    """Of one process."""

    def __init__(self, loop: HoldsPartitions, pool: Pool, view: Flows, catalogue: Catalogue) -> None:
        self._loop, self._pool, self._view, self._catalogue = loop, pool, view, catalogue
        self._held = Repeated("schedules.held")
        self._moments = counter("switchhook_schedule_moments_total")
        self._plans: dict[str, list[Plan]] = {}
        """By the flow's id."""
        self._next: dict[tuple[str, str], datetime] = {}
        """By the key of a plan: when it is due."""
        self._resting: Resting[tuple[str, str]] = Resting()
        self._forget_at = 0.0
        view.on_change(self._changed)
        self._to_read = set(view.ids("flow"))

    def _changed(self, kind: str, id: str, model: Any) -> None:
        if kind == "flow":
            self._to_read.add(id)

    async def run(self) -> None:
        """For ever. PostgreSQL being away delays moments, and has none run twice."""
        while True:
            try:
                await self.look()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                self._held.warn(error=repr(error))
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Settle what is due, and delete what is long over."""
        self._read()
        if not self._loop.assigned or not (self._plans or time.monotonic() >= self._forget_at):
            return
        async with self._pool.acquire() as connection:
            now = await schedules.clock(connection)
            for plan in [plan for plans in self._plans.values() for plan in plans]:
                if (at := self._next.get(plan.key)) is not None and at <= now:
                    await self._one(connection, plan, now)
            await self._forget(connection)

    def _read(self) -> None:
        """Learn what has changed in the registry."""
        changed, self._to_read = self._to_read, set()
        for id in changed:
            for plan in self._plans.pop(id, ()):
                self._next.pop(plan.key, None)
            data = self._view.data("flow", id)
            flow = self._view.get("flow", id) if data is not None and _SCHEDULED in data else None
            if flow is None:
                continue
            try:
                self._plans[id] = plans_of(flow)
            except ValueError as error:
                log.error("schedule.unreadable", flow=id, error=str(error))
                continue
            for plan in self._plans[id]:
                self._goes_on(plan, plan.since)

    def _goes_on(self, plan: Plan, last: datetime) -> None:
        at = following(plan, last)
        if at is None:
            self._next.pop(plan.key, None)
        else:
            self._next[plan.key] = at

    async def _one(self, connection: Connection, plan: Plan, now: datetime) -> None:
        """What nobody has foreseen of one schedule stops none of the others, and no engine."""
        if self._resting.rests(plan.key):
            return
        try:
            settled = await self._settle(connection, plan, now)
        except Exception as error:
            if is_infrastructure(error):
                raise
            log.exception("schedule.failed", flow=plan.flow.id, trigger=plan.schedule.trigger)
            self._resting.rest(plan.key)
            return
        self._goes_on(plan, settled.last)
        self._moments.labels("run").inc(len(settled.run))
        if settled.skipped:
            self._moments.labels("skipped").inc(len(settled.skipped))
            log.warning(
                "schedule.skipped", flow=plan.flow.id, trigger=plan.schedule.trigger, moments=len(settled.skipped),
                first=rfc3339(settled.skipped[0]),
            )  # fmt: skip

    async def _settle(self, connection: Connection, plan: Plan, now: datetime) -> Due:
        async with connection.transaction():
            found = due(plan, await schedules.hold(connection, plan), now)
            source = plan.schedule.segment and self._catalogue.segment(plan.flow.project_id, plan.schedule.segment)
            if plan.schedule.segment and source is None:
                log.error("schedule.no_segment", flow=plan.flow.id, segment=plan.schedule.segment)
                found = found._replace(run=[], skipped=sorted([*found.skipped, *found.run]))
            for moment in found.run:
                await broadcasts.make(connection, _broadcast(plan, moment, source))
            await failpoint("schedule_made")
            await schedules.advance(connection, plan, found.last, len(found.skipped))
        return found

    async def _forget(self, connection: Connection) -> None:
        if time.monotonic() < self._forget_at:
            return
        self._forget_at = time.monotonic() + FORGET_EVERY
        await schedules.forget_flows(connection, lambda flow: self._view.data("flow", flow) is not None)
        for _ in range(MOST_FORGOTTEN):
            if not await schedules.forget_one(connection):
                return


def _broadcast(plan: Plan, moment: datetime, source: str | None) -> NewBroadcast:
    """Of one moment. Who was not begun with when the grace is over is not any more."""
    flow, schedule = plan.flow, plan.schedule
    return NewBroadcast(
        id=plan.broadcast_id(moment), project_id=flow.project_id, bot_id=flow.bot_id, flow_id=flow.id,
        entry=schedule.trigger, variables=orjson.dumps({"moment": rfc3339(moment)}), channel_id=None, segment_id=None,
        filter=source, rate=schedule.rate, quiet_hours=None, starts_at=moment, until=moment + plan.grace, digest=None,
        moment=moment,
    )  # fmt: skip
