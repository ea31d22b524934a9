"""Published versions, ready to run."""

from __future__ import annotations

from contracts.registry import FlowVersion
from flowlang.building.compiler import Compiler
from flowlang.graph import Graph
from flowlang.language import document
from flowlang.language.build import build_graph
from flowlang.language.check import unknown_targets
from flowlang.problems import FlowInvalid


def compile_flow(version: FlowVersion) -> Graph:
    """The graph of a published version. Raises FlowInvalid when it cannot run.

    That is less than what `check` asks for: a version stays fit to run when the checker grows stricter.
    """
    loaded = document.load(version.document)
    compiler = Compiler()
    graph = build_graph(loaded, compiler, version.flow_id, version.version)
    problems = [*compiler.problems, *unknown_targets(loaded)]
    if any(problem.severity == "error" for problem in problems):
        raise FlowInvalid(problems)
    return graph
