"""From a document to a graph. Checking and compiling are this one pass, so that nothing runs that was not checked."""

from __future__ import annotations

from datetime import timedelta

from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.graph import CompiledReport, Graph, GraphNode
from flowlang.language.document import Document
from flowlang.nodes.base import NodeModel, Report
from flowlang.triggers.base import CompiledTrigger, TriggerModel


def build_graph(document: Document, compiler: Compiler, flow_id: str, version: int) -> Graph:
    """The graph of a document; what is wrong with its parts goes to `compiler`."""
    nodes = {id: _node(id, model, compiler) for id, model in document.nodes.items()}
    triggers = {trigger.id: _trigger(trigger, index, compiler) for index, trigger in enumerate(document.triggers)}
    return Graph(
        flow_id=flow_id,
        version=version,
        slug=document.slug,
        name=document.name,
        start=document.start,
        nodes=nodes,
        triggers=triggers,
        memory_names=frozenset(name for name, one in document.variables.items() if one.scope == "memory"),
        session_ttl=_ttl(document),
        on_error=document.on_error,
        strict=document.strict,
        ref={"id": flow_id, "slug": document.slug, "version": version, "name": document.name},
    )


def _ttl(document: Document) -> timedelta:
    return clock.duration(document.session_ttl)


def _node(id: str, model: NodeModel, compiler: Compiler) -> GraphNode:
    with compiler.at("nodes", id):
        for port in model.ports:
            if port not in model.PORTS:
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


def _trigger(trigger: TriggerModel, index: int, compiler: Compiler) -> CompiledTrigger:
    with compiler.at("triggers", index):
        when = compiler.condition(trigger.when, "when") if trigger.when else None
        return CompiledTrigger(trigger.id, trigger.type, trigger.to, when, trigger.build(compiler))
