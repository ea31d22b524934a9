"""`wait_event`: wait until another program says that something happened (a signal)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Literal, Self

from pydantic import Field

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.values import Place
from flowlang.model import Happening
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class WaitEventModel(NodeModel):
    """Wait for the signal `name`; its data is kept at `save_to`."""

    PORTS: ClassVar = ("event", "timeout", "error")
    WAITS: ClassVar = True
    WAITS_FOR: ClassVar = {"": "signal", "timeout": "timer"}

    type: Literal["wait_event"]
    name: str = Field(min_length=1, max_length=100)
    """The signal's name (`POST /v1/signals`)."""
    timeout: Duration | None = None
    """After so long without it the node is left by `timeout`."""
    save_to: str | None = None
    """The place where the signal's `data` is kept."""

    def build(self, compiler: Compiler) -> WaitEvent:
        save_to = compiler.place(self.save_to, "save_to") if self.save_to else None
        return WaitEvent(self.name, clock.duration(self.timeout) if self.timeout else None, save_to)

    def lost_in(self, newer: Self) -> str | None:
        return None if self.name == newer.name else "other-event"


@dataclass(frozen=True, slots=True)
class WaitEvent(Step):
    """The running wait."""

    IS_BOUNDED: ClassVar = True

    name: str
    timeout: timedelta | None
    save_to: Place | None

    def enter(self, run: StepContext) -> Outcome:
        return Rest(run.wait("event", self.timeout, {"name": self.name}))

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if happening.kind == "timer":
            return Go("timeout", error=NodeError("timeout", f"{self.name} did not happen in time"))
        if self.save_to:
            run.write(self.save_to, happening.data.get("data") or {})
        return Go("event")
