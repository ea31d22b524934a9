"""How much of flows is made ready to run in this process, and for how long it is kept."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

from flowlang.graph import Graph, Nodes
from flowlang.work import MOST_OF_A_PROGRAM, Elsewhere
from servicekit.workers.allowances import Allowances

UNITS_A_SECOND = 1_000_000
MOST_AT_ONCE, RATE = 0.01, 0.1
"""Seconds that a project may have its flows' parts made ready at once, but for one part, and more of it each second."""
MOST_OF_A_PART = MOST_OF_A_PROGRAM
"""Units of work to make one part. A larger one is made in workers only, and so are the turns that come to it."""
KEPT_OF_A_PROJECT, KEPT = 1 << 20, 8 << 20
"""Bytes of JSON of nodes that are ready to run. Made, they take some twenty times as much."""


class MayMake:
    """`flowlang.model.Tools.make` of each project: raises Elsewhere where it is to be made in a worker."""

    def __init__(self, allowances: Allowances | None = None) -> None:
        self._allowances = allowances or Allowances(free=0.0, most=MOST_AT_ONCE, rate=RATE)

    def __call__(self, project: str, units: int) -> None:
        if units > MOST_OF_A_PART or not self._allowances.has(project):
            raise Elsewhere
        self._allowances.spend(project, units / UNITS_A_SECOND)


class KeptNodes:
    """Nodes that were made, of all graphs. Where they are too many, those of the graph that was not used for longest go."""

    def __init__(self, most: int = KEPT, most_of_a_project: int = KEPT_OF_A_PROJECT) -> None:
        self._of_all = _Row(most)
        self._of_projects: dict[str, _Row] = {}
        self._most_of_a_project = most_of_a_project

    @property
    def size(self) -> int:
        """Bytes of JSON of all of them."""
        return self._of_all.size

    def watch(self, graph: Graph) -> None:
        """Count what is made of it from now on."""
        graph.nodes.on_growth(partial(self._grew, graph.project_id, graph.nodes))

    def _grew(self, project: str, nodes: Nodes, size: int) -> None:
        row = self._of_projects.setdefault(project, _Row(self._most_of_a_project))
        for each in (row, self._of_all):
            each.add(project, nodes, size)
        for each in (row, self._of_all):
            while (oldest := each.surplus(nodes)) is not None:
                self._forget(*oldest)

    def _forget(self, project: str, nodes: Nodes) -> None:
        size, row = nodes.forget(), self._of_projects[project]
        row.remove(nodes, size)
        self._of_all.remove(nodes, size)
        if not row.size:
            del self._of_projects[project]


class _Row:
    """Graphs' nodes in the order in which they were looked at; `size` is of all of them."""

    __slots__ = ("_most", "_row", "size")

    def __init__(self, most: int) -> None:
        self._most, self.size = most, 0
        self._row: OrderedDict[Nodes, str] = OrderedDict()

    def add(self, project: str, nodes: Nodes, size: int) -> None:
        self._row.setdefault(nodes, project)
        self.size += size

    def remove(self, nodes: Nodes, size: int) -> None:
        del self._row[nodes]
        self.size -= size

    def surplus(self, but: Nodes) -> tuple[str, Nodes] | None:
        """Whose nodes have to go, where there are too many: the first that no turn has walked in since it was looked at."""
        for _ in range(2 * len(self._row) if self.size > self._most else 0):
            nodes, project = next(iter(self._row.items()))
            if nodes is not but and not nodes.used:
                return project, nodes
            nodes.used = False
            self._row.move_to_end(nodes)
        return None
