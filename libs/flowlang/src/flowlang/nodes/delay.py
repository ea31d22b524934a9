"""`delay`: wait for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.model import Happening
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.context import StepContext


class DelayModel(NodeModel):
    """Go on after `for`, an ISO 8601 duration."""

    WAITS = True
    WAITS_FOR: ClassVar = {"": "timer"}

    type: Literal["delay"]
    length: Duration = Field(alias="for")
    """How long."""

    def build(self, compiler: Compiler) -> Delay:
        return Delay(clock.duration(self.length))


@dataclass(frozen=True, slots=True)
class Delay(Step):
    """The running pause."""

    IS_BOUNDED: ClassVar = True

    length: timedelta

    def enter(self, run: StepContext) -> Outcome:
        return Rest(run.wait("delay", self.length))

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        return Go()
