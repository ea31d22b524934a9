"""`greet`: say hello, so loudly as the document wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.templates import Template
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class GreetModel(NodeModel):
    """Say hello to `whom`, with `loudness` exclamation marks."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["greet"]
    whom: str = Field(min_length=1)
    loudness: int = Field(default=1, ge=0, le=3)

    def build(self, compiler: Compiler) -> Greet:
        return Greet(compiler.template(self.whom, "whom"), "!" * self.loudness)


@dataclass(frozen=True, slots=True)
class Greet(Step):
    """The running node."""

    whom: Template
    end: str

    def enter(self, run: StepContext) -> Outcome:
        name = self.whom.render(run)
        if not name:
            raise NodeError("nobody-to-greet", f"{self.whom.source} is empty")
        run.say(f"Hello, {name}{self.end}")
        return Go()
