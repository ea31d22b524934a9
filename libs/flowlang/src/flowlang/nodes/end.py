"""`end`: the path ends here. An interrupted session goes on waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from flowlang.nodes.base import End as PathEnds
from flowlang.nodes.base import NodeModel, Outcome, Passing

if TYPE_CHECKING:
    from flowlang.building.compiler import Compiler
    from flowlang.running.run import Run


class EndModel(NodeModel):
    """End the path."""

    PORTS: ClassVar = ()

    type: Literal["end"]

    def build(self, compiler: Compiler) -> End:
        return End()


class End(Passing):
    """The running end."""

    __slots__ = ()

    def enter(self, run: Run) -> Outcome:
        return PathEnds()
