"""`delay`: wait for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from flowlang import clock
from flowlang.nodes.base import Duration, Go, NodeModel, Outcome, Rest

if TYPE_CHECKING:
    from flowlang.building.compiler import Compiler
    from flowlang.model import Happening
    from flowlang.running.run import Run


class DelayModel(NodeModel):
    """Go on after `for`, an ISO 8601 duration."""

    WAITS = True

    type: Literal["delay"]
    length: Duration = Field(alias="for")

    def build(self, compiler: Compiler) -> Delay:
        return Delay(clock.duration(self.length))


@dataclass(frozen=True, slots=True)
class Delay:
    """The running pause."""

    length: timedelta

    def enter(self, run: Run) -> Outcome:
        return Rest(run.wait("delay", self.length))

    def resume(self, run: Run, happening: Happening) -> Outcome:
        return Go()
