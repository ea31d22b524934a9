"""`unsubscribe`: the person gets no broadcast any more, until they subscribe again."""

from __future__ import annotations

from typing import ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.nodes.base import Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class UnsubscribeModel(NodeModel):
    """Unsubscribe the person: no broadcast and no other program begins with them any more, until they send `/start` or one of the bot's words for that. The flow goes on."""

    PORTS: ClassVar = ("next", "error")

    type: Literal["unsubscribe"]

    def build(self, compiler: Compiler) -> Unsubscribe:
        return Unsubscribe()


class Unsubscribe(Step):
    """The running unsubscribe."""

    IS_BOUNDED: ClassVar = True

    __slots__ = ()

    def enter(self, run: StepContext) -> Outcome:
        run.opt_out()
        return Go()
