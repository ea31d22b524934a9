"""Walking the graph: enter nodes one after another until one rests, the path ends, or it fails. Knows no node by name."""

from __future__ import annotations

from typing import Any

from flowlang.graph import Graph, GraphNode
from flowlang.model import EmitEvent, Happening, Wait
from flowlang.nodes.base import Call, Code, End, Go, Jump, Outcome, Rest, Return, To
from flowlang.problems import NodeError
from flowlang.running import frames, sessions
from flowlang.running.memory import RESTING_LIMIT, has_room
from flowlang.running.run import ERROR_STEPS, ROOM_AFTER_ERROR, Run
from flowlang.work import MORE_AFTER_AN_ERROR

ERROR_PORTS = frozenset(("error", "timeout", "invalid", "refused"))
"""Ports that are left by for a reason. One that is not drawn is the `error` port; that one undrawn is `on_error`."""
_NOTHING = Return()
"""What a path gives back that ends without a `return`."""


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
    outcome = _resumed(run, happening)
    if not (isinstance(outcome, Rest) and outcome.wait is wait):
        sessions.stop_waiting(run, session)
    step = _note(run, {})
    target = _follow(run, outcome, step)
    if target is not None:
        walk(run, run.graph, target)


def _resumed(run: Run, happening: Happening) -> Outcome:
    try:
        if not run.node.step.IS_BOUNDED:
            run.work.pass_gate()
        return run.node.step.resume(run, happening)
    except NodeError as error:
        return Go("error", error=error)


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
    run.reached.append(len(run.steps))
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
    if isinstance(outcome, (Go, Rest)) and outcome.trace:
        step.update(outcome.trace)
    if isinstance(outcome, (Go, To)):
        return _leave(run, outcome, step)
    if isinstance(outcome, Rest):
        return _rest(run, outcome.wait, step)
    if isinstance(outcome, Code):
        run.session.wait = outcome.wait
        run.code = outcome.request
        return None
    if isinstance(outcome, End):
        return _path_ends(run, _NOTHING)
    if isinstance(outcome, Return):
        step["port"] = outcome.port
        return _path_ends(run, outcome)
    return _call(run, outcome, step) if isinstance(outcome, Call) else _jump(run, outcome, step)


def _rest(run: Run, wait: Wait, step: dict[str, Any]) -> str | None:
    """The session waits, where there is room for all that the conversation keeps meanwhile. What the node has sent already is sent:
    its answer comes late, as after any other way out."""
    interrupted = run.conversation.stack if wait.kind in sessions.IN_FLIGHT else []
    if run.session.wait is not wait and not has_room(run.conversation, interrupted, wait, RESTING_LIMIT):
        error = NodeError("state-full", f"between two events a conversation keeps at most {RESTING_LIMIT} bytes")
        return _leave(run, Go("error", error=error), step)
    sessions.rest(run, wait)
    return None


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
    return _path_ends(run, _NOTHING)


def _path_ends(run: Run, back: Return) -> str | None:
    """On from the node that called the flow; where none did, the session has come to its end."""
    if not run.session.frames:
        sessions.end(run)
        return None
    completed = run.graph
    if not frames.leave(run):
        fail_gone(run)
        return None
    try:
        run.emit(EmitEvent("flow.completed", {}, None, completed.ref, run.contact))
    except NodeError as error:
        return _follow(run, Go("error", error=error), _note(run, {}))
    data = {"port": back.port, "value": back.value}
    outcome = _resumed(run, Happening(run.happening.id, "returned", run.now, data))
    return _follow(run, outcome, _note(run, {}))


def fail_gone(run: Run) -> None:
    """The version that the session stands on is gone for ever: the node that called it fails. Where none did, the session is over."""
    error = NodeError("version-gone", f"version {run.session.flow_version} of the flow is gone")
    while run.session.frames:
        if frames.leave(run):
            target = _error_way(run, "error", error, _note(run, {}))
            if target is not None:
                walk(run, run.graph, target)
            return
    run.tell("flow.failed", {"error": error.as_dict()})
    run.session.error = {"type": error.type, "detail": error.detail}
    sessions.fail(run)


def _error_way(run: Run, port: str, error: NodeError, step: dict[str, Any]) -> str | None:
    run.write_all("temp", {"error": error.as_dict()})
    step["error"] = error.as_dict()
    ports = run.node.ports
    target = ports.get(port) or ports.get("error")
    if target is not None and "unhandled" not in step:
        return target
    return _unhandled(run, error, step)


def _unhandled(run: Run, error: NodeError, step: dict[str, Any]) -> str | None:
    """No port of the flow took the error: on by `error` of the node that called it. Where none did, `flow.failed`, and the
    flow's `on_error`, once a turn and never without a person."""
    session, graph, node_id = run.session, run.graph, run.node.id
    while session.frames:
        if frames.leave(run):
            _note(run, {"port": "error", "error": error.as_dict()})
            if "unhandled" not in step and (target := run.node.ports.get("error")) is not None:
                return target
    run.tell("flow.failed", {"error": error.as_dict()}, node_id, graph)
    tried_already = session.error is not None
    session.error = {"type": error.type, "detail": error.detail}
    outermost = run.graph
    is_gone = (outermost.flow_id, outermost.version) != (session.flow_id, session.flow_version)
    if outermost.on_error is None or is_gone or run.nobody or tried_already:
        sessions.fail(run)
        return None
    run.budget, run.room = max(run.budget, ERROR_STEPS), ROOM_AFTER_ERROR
    run.work.left = max(run.work.left, MORE_AFTER_AN_ERROR)
    return outermost.on_error


def _jump(run: Run, jump: Jump, step: dict[str, Any]) -> str | None:
    step["port"] = jump.flow
    try:
        graph, target = _landing(run, jump.flow, jump.node)
        run.emit(EmitEvent("flow.launched", {"trigger": {"id": None, "type": "jump"}}, None, graph.ref, run.contact))
    except NodeError as error:
        return _error_way(run, "error", error, step)
    run.session.flow_id, run.session.flow_version = graph.flow_id, graph.version
    run.graph = graph
    return target


def _call(run: Run, call: Call, step: dict[str, Any]) -> str | None:
    step["port"] = call.flow
    try:
        graph, target = _landing(run, call.flow, call.node)
        frames.enter(run, graph, call.memory)
    except NodeError as error:
        return _error_way(run, "error", error, step)
    return target


def _landing(run: Run, slug: str, node: str | None) -> tuple[Graph, str]:
    graph = run.flows.by_slug(slug)
    if graph is None:
        raise NodeError("unknown-flow", f"the bot has no published flow {slug!r}")
    target = node or graph.start
    if target not in graph.nodes:
        raise NodeError("unknown-flow", f"{slug} has no node {target!r}")
    graph.nodes.used = True
    return graph, target
