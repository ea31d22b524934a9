"""`jump`: go on at another node, or in another flow of the bot. The session and its memory stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import model_validator

from flowlang.building.compiler import Compiler
from flowlang.building.fields import NodeId
from flowlang.nodes.base import Edge, NodeModel, Outcome, Step, To
from flowlang.nodes.base import Jump as JumpTo
from flowlang.nodes.context import StepContext


class JumpModel(NodeModel):
    """`to` a node of this flow, or `flow` (a slug) at its start or at its node `to`."""

    PORTS: ClassVar = ("error",)

    type: Literal["jump"]
    flow: str | None = None
    """The slug of another flow of the bot."""
    to: NodeId | None = None
    """A node; left out: the start of that flow."""

    @model_validator(mode="after")
    def _leads_somewhere(self) -> JumpModel:
        if not self.flow and not self.to:
            raise ValueError("name a `flow`, a node `to` go to, or both")
        return self

    def build(self, compiler: Compiler) -> Jump:
        if self.flow:
            compiler.refer("unknown-flow", "flow of this bot", self.flow, compiler.known.flows, "flow")
        return Jump(self.flow, self.to)

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        if self.to and not self.flow:
            yield Edge(self.to, ("to",))


@dataclass(frozen=True, slots=True)
class Jump(Step):
    """The running jump."""

    IS_BOUNDED: ClassVar = True

    flow: str | None
    node: str | None

    def enter(self, run: StepContext) -> Outcome:
        return JumpTo(self.flow, self.node) if self.flow else To(self.node or "")
