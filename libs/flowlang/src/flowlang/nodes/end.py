"""`end`: the path ends here. An interrupted session goes on waiting."""

from __future__ import annotations

from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.nodes.base import End as PathEnds
from flowlang.nodes.base import NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class EndModel(NodeModel):
    """End the path."""

    PORTS: ClassVar = ()

    type: Literal["end"]

    def build(self, compiler: Compiler) -> End:
        return End()


class End(Step):
    """The running end."""

    IS_BOUNDED: ClassVar = True

    __slots__ = ()

    def enter(self, run: StepContext) -> Outcome:
        return PathEnds()
