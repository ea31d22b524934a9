"""`return`: back to the node that called this flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import NodeId
from flowlang.expressions.values import Value
from flowlang.nodes.base import NodeModel, Outcome, Return, Step
from flowlang.nodes.context import StepContext


class ReturnModel(NodeModel):
    """Go back to the `call` that led into this flow, with a value. In a flow that was not called the path ends."""

    PORTS: ClassVar = ("error",)

    type: Literal["return"]
    value: Any = None
    """What `save_to` of the `call` keeps. Merge tags give text, `{cel: …}` keeps the type."""
    port: NodeId = Field(default="next")
    """The port by which the `call` is left."""

    def build(self, compiler: Compiler) -> ReturnValue:
        return ReturnValue(self.port, compiler.value(self.value, "value"))


@dataclass(frozen=True, slots=True)
class ReturnValue(Step):
    """The running return."""

    IS_BOUNDED: ClassVar = True

    port: str
    value: Value

    def enter(self, run: StepContext) -> Outcome:
        return Return(self.port, self.value.of(run))
