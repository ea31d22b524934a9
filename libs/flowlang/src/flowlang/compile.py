"""Published versions, ready to run."""

from __future__ import annotations

from contracts.registry import FlowVersion
from flowlang import document
from flowlang.bot_flows import BotFlows
from flowlang.build import build_graph
from flowlang.check import unknown_targets
from flowlang.compiler import Compiler
from flowlang.graph import Graph
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


__all__ = ["BotFlows", "Graph", "compile_flow"]
