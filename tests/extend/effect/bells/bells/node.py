"""`ring`: ring a bell and wait until somebody answers the door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.model import Happening, RequestAction
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class RingModel(NodeModel):
    """Ring the bell of `house`."""

    PORTS: ClassVar = ("next", "error")
    WAITS: ClassVar = True

    type: Literal["ring"]
    house: str = Field(min_length=1)
    times: int = Field(default=1, ge=1)

    def build(self, compiler: Compiler) -> Ring:
        return Ring(self.house, self.times)


@dataclass(frozen=True, slots=True)
class Ring(Step):
    """The running node."""

    house: str
    times: int

    def enter(self, run: StepContext) -> Outcome:
        wait = run.wait("call", None, {"while_waiting": "queue"})
        run.emit(RequestAction("ring_bell", {"house": self.house, "times": self.times, "wait": wait.token}))
        return Rest(wait)

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        result = happening.data
        if result.get("outcome") != "ok":
            return Go("error", error=NodeError(result["error"]["type"], result["error"]["detail"]))
        run.say(f"{result['body']['who']} is at the door.")
        return Go()
