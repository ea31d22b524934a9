"""`split`: one of several ways by weight, the same for a person each time.

Where a person goes follows from SHA-256 of the flow's id, the node's id and the contact's id, and from the weights. So it is the
same in each version of the flow as long as the node keeps its id and its branches their weights and order, two splits share people out
independently of each other, and nothing has to be remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import ClassVar, Literal

from pydantic import Field

from flowlang.building.compiler import Compiler
from flowlang.building.fields import DocumentModel, NodeId
from flowlang.nodes.base import Edge, NodeModel, Outcome, Step, To
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

HASHED_BITS = 64
MOST_WEIGHT = 1_000_000


class Share(DocumentModel):
    """Go `to` the node with this weight."""

    weight: int = Field(ge=0, le=MOST_WEIGHT)
    """Its part of the people, beside the weights of the others; 0: nobody."""
    to: NodeId
    """The node that this part goes to."""


class SplitModel(NodeModel):
    """Choose the way by weight. A person goes the same way each time, also in later versions of the flow, as long as the
    weights, their order and the node's id stay. Who is merged into another contact goes that contact's way."""

    PORTS: ClassVar = ("error",)

    type: Literal["split"]
    branches: tuple[Share, ...] = Field(min_length=2, max_length=50)
    """The ways, in an order that is to stay."""

    def build(self, compiler: Compiler) -> Split:
        if not any(branch.weight for branch in self.branches):
            compiler.problem("nothing-to-do", "give at least one branch a weight above 0", "branches")
        ends = accumulate(branch.weight for branch in self.branches)
        return Split(tuple((end, branch.to) for end, branch in zip(ends, self.branches, strict=True)))

    def edges(self) -> Iterator[Edge]:
        yield from super().edges()
        for index, branch in enumerate(self.branches):
            yield Edge(branch.to, ("branches", index, "to"))


@dataclass(frozen=True, slots=True)
class Split(Step):
    """The running choice. `ways`: (sum of the weights up to and with it, node)."""

    IS_BOUNDED: ClassVar = True

    ways: tuple[tuple[int, str], ...]

    def enter(self, run: StepContext) -> Outcome:
        contact_id = run.person(None)["contact_id"]
        point = _point(run.session.flow_id, run.node_id, contact_id, self.ways[-1][0])
        for end, to in self.ways:
            if point < end:
                return To(to)
        raise NodeError("split", "no branch has a weight above 0")


def _point(flow_id: str, node_id: str, contact_id: str, total: int) -> int:
    """Where a person stands among `total`, from 0 on."""
    digest = sha256("\x1f".join(("split", flow_id, node_id, contact_id)).encode()).digest()
    return int.from_bytes(digest[: HASHED_BITS // 8], "big") * total >> HASHED_BITS
