"""A flow version that runs. What `language` makes and `running` walks.

Its ways in are there at once; each node is made ready to run when a turn first comes to it, and may be forgotten again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flowlang.expressions.templates import Template
from flowlang.nodes.base import Step
from flowlang.problems import NodeError
from flowlang.triggers.base import CompiledTrigger
from flowlang.work import Work


@dataclass(frozen=True, slots=True)
class CompiledReport:
    """A webhook about a node: when it is reached, answered, or left by an option."""

    title: Template
    url: Template
    format: str
    when: str


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node: what it does, where its ports lead, and what is told about it."""

    id: str
    type: str
    step: Step
    ports: Mapping[str, str]
    push_profile: bool
    report: CompiledReport | None
    targets: Mapping[str, str]
    """Button id to node, for buttons that lead somewhere."""


UNITS_A_NODE, UNITS_A_COMMA, BYTES_A_UNIT = 100, 15, 16
"""Of work (flowlang.work) to make a node: for itself, for each value that its JSON has (a comma stands between any two), and
for its length."""


class Nodes:
    """The nodes of one version: `made` are those that are ready to run. For speed it is looked up there first:
    `nodes.made.get(id) or nodes.make(id, work)`."""

    __slots__ = ("_grown", "_make", "_sources", "made", "size", "used")

    def __init__(
        self, sources: Mapping[str, bytes], make: Callable[[str, bytes, NodeError | None], tuple[GraphNode, int]]
    ) -> None:
        """`sources`: each node's JSON. `make(id, source, error)` gives the node and its size, and never raises: one that
        cannot run is a node that fails, and so is one that may not be made, with that error."""
        self._sources, self._make = sources, make
        self._grown: Callable[[int], None] | None = None
        self.made: dict[str, GraphNode] = {}
        self.size = 0
        """Bytes of JSON of what is made, and as much more as its short expressions take."""
        self.used = False
        """Whether a turn has walked here since this was last set to False."""

    def __contains__(self, id: object) -> bool:
        return id in self._sources

    def source(self, id: str) -> bytes | None:
        """The node's JSON; None where there is none."""
        return self._sources.get(id)

    def make(self, id: str, work: Work) -> GraphNode:
        """The node, made ready to run. One that is not there is a node that fails."""
        source = self._sources.get(id, b"")
        try:
            work.make(UNITS_A_NODE + UNITS_A_COMMA * bytes(source).count(b",") + len(source) // BYTES_A_UNIT)
        except NodeError as error:
            return self._make(id, b"", error)[0]
        node, size = self._make(id, source, None)
        self.made[id] = node
        self.size += size
        if self._grown is not None:
            self._grown(size)
        return node

    def on_growth(self, listener: Callable[[int], None]) -> None:
        """Call `listener(bytes)` whenever a node was made."""
        self._grown = listener

    def forget(self) -> int:
        """All that was made, until it is needed again; its size."""
        size, self.size = self.size, 0
        self.made = {}
        return size


@dataclass(frozen=True, slots=True)
class Graph:
    """One version of a flow. `ref` is how events name it: {id, slug, version, name}."""

    flow_id: str
    project_id: str
    version: int
    slug: str
    name: str
    start: str
    nodes: Nodes
    triggers: Mapping[str, CompiledTrigger]
    memory_names: frozenset[str]
    """Variables that the flow declares in memory: a start's variables of these names are set there."""
    session_ttl: timedelta
    on_error: str | None
    strict: bool
    ref: dict[str, Any]
