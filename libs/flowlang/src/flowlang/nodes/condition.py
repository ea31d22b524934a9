"""`condition`: the first branch whose expression is true, else `else`. What is missing is not true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId
from flowlang.expressions.expression import Expression
from flowlang.nodes.base import Edge, End, NodeModel, Outcome, Step, To
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError


class Branch(DocumentModel):
    """Go `to` the node when `if` is true."""

    condition: str = Field(alias="if")
    """A CEL expression, true or false."""
    to: NodeId
    """The node to go to when it is true."""


class ConditionModel(NodeModel):
    """Choose the way by CEL expressions."""

    PORTS: ClassVar = ("error",)

    type: Literal["condition"]
    branches: tuple[Branch, ...] = Field(min_length=1, max_length=50)
    """The first one that is true is taken."""
    otherwise: NodeId | None = Field(default=None, alias="else")
    """The node to go to when none is; left out: the path ends."""

    def build(self, compiler: Compiler) -> Condition:
        return Condition(
            tuple(
                (compiler.condition(branch.condition, "branches", index, "if"), branch.to)
                for index, branch in enumerate(self.branches)
            ),
            self.otherwise,
        )

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        for index, branch in enumerate(self.branches):
            yield Edge(branch.to, ("branches", index, "to"))
        if self.otherwise:
            yield Edge(self.otherwise, ("else",))


@dataclass(frozen=True, slots=True)
class Condition(Step):
    """The running choice."""

    IS_BOUNDED: ClassVar = True

    branches: tuple[tuple[Expression, str], ...]
    otherwise: str | None

    def enter(self, run: StepContext) -> Outcome:
        for expression, to in self.branches:
            value = expression.evaluate(run)
            if value is True:
                return To(to)
            if value is not False and value is not None:
                raise NodeError("condition", f"true or false is expected of {expression.source[:80]!r}")
        return To(self.otherwise) if self.otherwise else End()
