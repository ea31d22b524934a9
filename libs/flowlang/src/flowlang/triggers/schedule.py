"""`schedule`: the flow begins at certain times, for the members of a segment or for all contacts of the bot."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.cron import LONGEST, Cron
from flowlang.triggers.base import Matcher, Precedence, TriggerModel

SHORTEST_GRACE, LONGEST_GRACE = timedelta(minutes=1), timedelta(days=2)


class ScheduleTrigger(TriggerModel):
    """The flow begins with each of many people, once at each moment of the schedule, as in a broadcast. It sees the moment as `event.variables.moment`."""

    TAKES: ClassVar = ("start",)
    PRECEDENCE: ClassVar = Precedence.EVENT
    IS_BOUNDED: ClassVar = True

    type: Literal["schedule"]
    cron: Annotated[str, StringConstraints(max_length=LONGEST)]
    """When: minute, hour, day of the month, month and day of the week."""
    timezone: str = "UTC"
    """In which time zone, by its name."""
    segment: str | None = Field(default=None, min_length=1, max_length=200)
    """With whom: the members of this segment, as they are at the moment; left out: all contacts of the bot."""
    grace: Duration = "PT1H"
    """How late it may begin with somebody, PT1M to P2D. What is later, as after an outage, is skipped and counted."""
    rate: float = Field(default=20, ge=0.1, le=500)
    """People a second, at most."""

    def build(self, compiler: Compiler) -> Matcher:
        if compiler.later:
            return Matcher()
        try:
            Cron(self.cron, self.timezone)
        except ValueError as error:
            compiler.problem("cron", str(error), "timezone" if "time zone" in str(error) else "cron")
        if not SHORTEST_GRACE <= clock.duration(self.grace) <= LONGEST_GRACE:
            compiler.problem("grace", "`grace` is PT1M to P2D", "grace")
        if self.segment is not None:
            compiler.members(self.segment, "segment")
        return Matcher()
