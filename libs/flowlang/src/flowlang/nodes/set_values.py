"""`set`: write to memory, to the person's profile and variables, or for this turn to temp."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.expressions.values import Place, Value
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class SetModel(NodeModel):
    """`values`: places and what is written there. Merge tags give text; `{cel: …}` keeps the type; null clears."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["set"]
    values: dict[str, Any] = Field(min_length=1, max_length=50)
    """Place → what is written there. Merge tags give text, `{cel: …}` keeps the type, null clears."""

    def build(self, compiler: Compiler) -> Set:
        with compiler.at("values"):
            return Set(
                tuple((compiler.place(place, place), compiler.value(raw, place)) for place, raw in self.values.items())
            )


@dataclass(frozen=True, slots=True)
class Set(Step):
    """Written in the document's order, so that a later value sees an earlier one."""

    IS_BOUNDED: ClassVar = True

    values: tuple[tuple[Place, Value], ...]

    def enter(self, run: StepContext) -> Outcome:
        for place, value in self.values:
            run.write(place, value.of(run))
        return Go()
