"""Walking the graph: enter nodes one after another until one rests, the path ends, or it fails. Knows no node by name."""

from __future__ import annotations

from typing import Any

from flowlang.graph import Graph, GraphNode
from flowlang.model import EmitEvent, Happening
from flowlang.nodes.base import Code, End, Go, Jump, Outcome, Rest, To
from flowlang.problems import NodeError
from flowlang.running import sessions
from flowlang.running.run import ERROR_STEPS, ROOM_AFTER_ERROR, Run
from flowlang.work import MORE_AFTER_AN_ERROR

ERROR_PORTS = frozenset(("error", "timeout", "invalid"))
"""Ports that are left by for a reason. One that is not drawn is the `error` port; that one undrawn is `on_error`."""


def walk(run: Run, graph: Graph, node_id: str) -> None:
    """Move the session from this node on."""
    run.graph = graph
    graph.nodes.used = True
    target: str | None = node_id
    while target is not None:
        target = _follow(run, *_enter(run, target))


def resume(run: Run, graph: Graph, happening: Happening) -> None:
    """What the session waited for has happened: take it, and go on from there. The wait is used."""
    run.graph = graph
    graph.nodes.used = True
    session = run.session
    wait = session.wait
    if wait is None:
        raise RuntimeError("nothing is waited for")
    run.node = graph.nodes.made.get(wait.node) or graph.nodes.make(wait.node, run.work)
    try:
        if not run.node.step.IS_BOUNDED:
            run.work.pass_gate()
        outcome = run.node.step.resume(run, happening)
    except NodeError as error:
        outcome = Go("error", error=error)
    if not (isinstance(outcome, Rest) and outcome.wait is wait):
        sessions.stop_waiting(run, session)
    step = _note(run, {})
    target = _follow(run, outcome, step)
    if target is not None:
        walk(run, run.graph, target)


def _enter(run: Run, node_id: str) -> tuple[Outcome, dict[str, Any]]:
    nodes = run.graph.nodes
    node = run.node = nodes.made.get(node_id) or nodes.make(node_id, run.work)
    if run.budget <= 0:
        error = NodeError("step-budget", "the flow ran too many steps without waiting")
        return Go("error", error=error), _note(run, {"unhandled": True})
    run.budget -= 1
    try:
        if not node.step.IS_BOUNDED:
            run.work.pass_gate()
        outcome = node.step.enter(run)
        _tell_reached(run, node)
    except NodeError as error:
        outcome = Go("error", error=error)
    return outcome, _note(run, {})


def _note(run: Run, more: dict[str, Any]) -> dict[str, Any]:
    """Add the present node to the trace."""
    node = run.node
    step = {"flow_id": run.graph.flow_id, "flow_version": run.graph.version, "node": node.id, "type": node.type, **more}
    if run.missing_names:
        step["missing"] = run.missing_names
        run.missing_names = []
    run.steps.append(step)
    return step


def _tell_reached(run: Run, node: GraphNode) -> None:
    if node.push_profile:
        run.emit_event("profile.pushed", {})
    if node.report is not None and node.report.when == "reached":
        report(run, node)


def report(run: Run, node: GraphNode) -> None:
    """Post the webhook that the node asks for with `report`; nothing where it asks for none."""
    if node.report is not None:
        run.post_webhook(node.report.title.render(run), node.report.url.render(run), node.report.format)


def answered(run: Run, node: GraphNode, name: str) -> None:
    """The person chose: tell it, if the node's report is about that."""
    if node.report is not None and node.report.when in ("answered", name):
        report(run, node)


def _follow(run: Run, outcome: Outcome, step: dict[str, Any]) -> str | None:
    """The node that comes next; None when the turn of this session is over."""
    if isinstance(outcome, (Go, To)):
        return _leave(run, outcome, step)
    if isinstance(outcome, Rest):
        sessions.rest(run, outcome.wait)
        return None
    if isinstance(outcome, Code):
        run.session.wait = outcome.wait
        run.code = outcome.request
        return None
    if isinstance(outcome, End):
        sessions.end(run)
        return None
    return _jump(run, outcome, step)


def _leave(run: Run, outcome: Go | To, step: dict[str, Any]) -> str | None:
    if outcome.answered is not None:
        try:
            answered(run, run.node, outcome.answered)
        except NodeError as error:
            outcome = Go("error", error=error)
    if isinstance(outcome, To):
        step["port"] = outcome.node
        return outcome.node
    step["port"] = outcome.port
    if outcome.port in ERROR_PORTS:
        reason = outcome.error or NodeError(outcome.port, f"the node left by {outcome.port}")
        return _error_way(run, outcome.port, reason, step)
    if (target := run.node.ports.get(outcome.port)) is not None:
        return target
    sessions.end(run)
    return None


def _error_way(run: Run, port: str, error: NodeError, step: dict[str, Any]) -> str | None:
    run.write_all("temp", {"error": error.as_dict()})
    step["error"] = error.as_dict()
    ports = run.node.ports
    target = ports.get(port) or ports.get("error")
    if target is not None and "unhandled" not in step:
        return target
    return _unhandled(run, error, step)


def _unhandled(run: Run, error: NodeError, step: dict[str, Any]) -> str | None:
    """No port took the error: `flow.failed`, and the flow's `on_error`, once a turn and never without a person."""
    session, graph = run.session, run.graph
    run.tell("flow.failed", {"error": error.as_dict()}, run.node.id, graph)
    tried_already = session.error is not None
    session.error = {"type": error.type, "detail": error.detail}
    if graph.on_error is None or run.nobody or tried_already:
        sessions.fail(run)
        return None
    run.budget, run.room = max(run.budget, ERROR_STEPS), ROOM_AFTER_ERROR
    run.work.left = max(run.work.left, MORE_AFTER_AN_ERROR)
    return graph.on_error


def _jump(run: Run, jump: Jump, step: dict[str, Any]) -> str | None:
    step["port"] = jump.flow
    try:
        graph, target = _landing(run, jump)
        run.emit(EmitEvent("flow.launched", {"trigger": {"id": None, "type": "jump"}}, None, graph.ref, run.contact))
    except NodeError as error:
        return _error_way(run, "error", error, step)
    run.session.flow_id, run.session.flow_version = graph.flow_id, graph.version
    run.graph = graph
    return target


def _landing(run: Run, jump: Jump) -> tuple[Graph, str]:
    graph = run.flows.by_slug(jump.flow)
    if graph is None:
        raise NodeError("unknown-flow", f"the bot has no published flow {jump.flow!r}")
    target = jump.node or graph.start
    if target not in graph.nodes:
        raise NodeError("unknown-flow", f"{jump.flow} has no node {target!r}")
    return graph, target
