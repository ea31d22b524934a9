"""`call`: go through another flow of the bot, with a memory of its own, and come back to this node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import NodeId
from flowlang.expressions.values import LONGEST_NAME, Place, Value
from flowlang.model import Happening
from flowlang.nodes.base import ANY, Call, Edge, Go, NodeModel, Outcome, Step
from flowlang.nodes.context import StepContext


class CallModel(NodeModel):
    """Go through another flow of the bot, and come back here when it has come to its end. It has a memory of its own, which begins
    with `params`.

    A `return` there names the port by which this node is left; one that is not drawn is `next`, and so is an end without
    `return`. What fails there, and no port there takes, leaves by `error`; the `on_error` of a flow that was called is not
    run. Flows call each other 8 deep at most.
    """

    PORTS: ClassVar = ("next", "error")
    OTHER_PORTS: ClassVar = True

    type: Literal["call"]
    flow: str = Field(min_length=1, max_length=64)
    """The slug of the flow."""
    to: NodeId | None = None
    """A node of it; left out: its start."""
    params: dict[str, Any] = Field(default_factory=dict, max_length=50)
    """What it finds in its memory: name → value. Merge tags give text, `{cel: …}` keeps the type."""
    save_to: str | None = None
    """The place where the `value` of its `return` is kept."""

    def build(self, compiler: Compiler) -> CallFlow:
        known = compiler.known.flows
        if known is not None and self.flow not in known:
            compiler.problem("unknown-flow", f"the bot has no flow {self.flow!r}", "flow")
        for name in self.params:
            if not 1 <= len(name) <= LONGEST_NAME or "." in name:
                message = f"a name has 1 to {LONGEST_NAME} characters and no dot"
                compiler.problem("target", message, "params", name)
        params = tuple((name, compiler.value(raw, "params", name)) for name, raw in self.params.items())
        save_to = compiler.place(self.save_to, "save_to") if self.save_to else None
        return CallFlow(self.flow, self.to, params, save_to, frozenset(self.ports))

    def edges(self) -> Iterator[Edge]:
        """It is not known here whether the called flow waits."""
        for port, to in self.ports.items():
            yield Edge(to, ("ports", port), same_turn=False, events=(ANY,))

    def lost_in(self, newer: Self) -> str | None:
        return None if self.flow == newer.flow else "other-call"


@dataclass(frozen=True, slots=True)
class CallFlow(Step):
    """The running call."""

    IS_BOUNDED: ClassVar = True

    flow: str
    node: str | None
    params: tuple[tuple[str, Value], ...]
    save_to: Place | None
    ports: frozenset[str]
    """Those that are drawn."""

    def enter(self, run: StepContext) -> Outcome:
        return Call(self.flow, self.node, {name: value.of(run) for name, value in self.params})

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if self.save_to is not None:
            run.write(self.save_to, happening.data["value"])
        port = happening.data["port"]
        return Go(port if port in self.ports else "next")
