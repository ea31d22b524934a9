"""Schedules of flows: which of their moments are due, and which are over. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from contracts.cloudevents import rfc3339
from contracts.ids import derived_id
from contracts.registry import Flow, Schedule
from flowlang import clock
from flowlang.cron import Cron

MOST_MOMENTS = 500
"""Moments of a schedule that are settled at a time: after a long outage there may be a million."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule of a flow that is published. It holds from `since` on."""

    flow: Flow
    schedule: Schedule
    cron: Cron
    grace: timedelta
    since: datetime

    @property
    def key(self) -> tuple[str, str]:
        """The flow and the trigger, by their ids."""
        return self.flow.id, self.schedule.trigger

    def broadcast_id(self, moment: datetime) -> str:
        """It follows from the moment: whoever makes it makes the same one."""
        return derived_id("schedule", *self.key, rfc3339(moment))


def plans_of(flow: Flow) -> list[Plan]:
    """Raises ValueError where a schedule cannot be read, as one of a later release."""
    if flow.published is None or flow.published_at is None:
        return []
    since = clock.moment(flow.published_at)
    return [Plan(flow, one, Cron(one.cron, one.timezone), clock.duration(one.grace), since) for one in flow.schedules]


class Due(NamedTuple):
    """What has come since a schedule was looked at. `skipped` were missed by more than its grace. `last`: up to which it is settled."""

    run: list[datetime]
    skipped: list[datetime]
    last: datetime


def due(plan: Plan, last: datetime, now: datetime) -> Due:
    """The moments behind `last` up to `now`, MOST_MOMENTS at most."""
    found = Due([], [], max(last, plan.since))
    for moment in plan.cron.after(found.last):
        if moment > now or len(found.run) + len(found.skipped) >= MOST_MOMENTS:
            break
        (found.run if moment + plan.grace > now else found.skipped).append(moment)
        found = found._replace(last=moment)
    return found


def following(plan: Plan, last: datetime) -> datetime | None:
    """The next moment behind `last`."""
    return next(plan.cron.after(max(last, plan.since)), None)
