"""From the parts of a document to what runs. Checking and compiling are the same code, so that nothing runs that was not
checked."""

from __future__ import annotations

from flowlang.building.compiler import Compiler
from flowlang.graph import CompiledReport, GraphNode
from flowlang.language.document import Document
from flowlang.nodes.base import NodeModel, Report
from flowlang.triggers.base import CompiledTrigger, TriggerModel


def build_all(document: Document, compiler: Compiler) -> None:
    """Each of its parts; what is wrong with them, and what they read and write, goes to `compiler`."""
    for id, model in document.nodes.items():
        build_node(id, model, compiler)
    for index, trigger in enumerate(document.triggers):
        build_trigger(trigger, index, compiler)


def build_node(id: str, model: NodeModel, compiler: Compiler) -> GraphNode:
    """A node; what is wrong with it goes to `compiler`."""
    with compiler.at("nodes", id):
        for port in model.ports:
            if port not in model.PORTS and not model.OTHER_PORTS:
                there_are = f"it has {', '.join(model.PORTS)}" if model.PORTS else "it has none"
                compiler.problem("unknown-port", f"{model.type} has no port {port!r}; {there_are}", "ports", port)
        return GraphNode(
            id=id,
            type=model.type,
            step=model.build(compiler),
            ports=dict(model.ports),
            push_profile=model.push_profile,
            report=_report(model.report, model, compiler) if model.report else None,
            targets=model.later_targets(),
        )


def _report(report: Report, model: NodeModel, compiler: Compiler) -> CompiledReport:
    with compiler.at("report"):
        moments = model.report_moments()
        if report.when not in moments:
            compiler.problem("report", f"`when` is one of {', '.join(moments)} here", "when")
        return CompiledReport(
            compiler.template(report.title, "title"), compiler.url(report.url, "url"), report.format, report.when
        )


def build_trigger(trigger: TriggerModel, index: int, compiler: Compiler) -> CompiledTrigger:
    """A way in; what is wrong with it goes to `compiler`."""
    with compiler.at("triggers", index):
        when = compiler.condition(trigger.when, "when") if trigger.when else None
        return CompiledTrigger(trigger.id, trigger.type, trigger.to, when, trigger.build(compiler))
