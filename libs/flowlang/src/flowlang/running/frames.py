"""Flows that call flows: a session goes through a called flow and comes back to the node that called it.

The frames of a session are those who wait for their called flow, innermost last. Each keeps the version that it stands on, as
the session does, and its own memory; what all of them hold together has the room that one memory has.
"""

from __future__ import annotations

from typing import Any

from flowlang.graph import Graph
from flowlang.model import EmitEvent, Frame
from flowlang.problems import NodeError
from flowlang.running.run import Run

MOST_FRAMES = 8


def enter(run: Run, graph: Graph, memory: dict[str, Any]) -> None:
    """The session goes into `graph`, called by the present node. Raises NodeError, and stays where it is."""
    session = run.session
    if len(session.frames) >= MOST_FRAMES:
        raise NodeError("call-depth", f"flows call each other {MOST_FRAMES} deep at most")
    frames, own = session.frames, session.memory
    session.frames = [*frames, Frame(session.flow_id, session.flow_version, run.node.id, own)]
    session.memory = {}
    run.stand_in(session)
    try:
        run.write_all("memory", memory)
        run.emit(EmitEvent("flow.launched", {"trigger": {"id": None, "type": "call"}}, None, graph.ref, run.contact))
    except NodeError:
        session.frames, session.memory = frames, own
        run.stand_in(session)
        raise
    session.flow_id, session.flow_version = graph.flow_id, graph.version
    run.graph = graph


def leave(run: Run) -> bool:
    """Back to the node that called the present flow. False when its version is gone: the session is one frame further out then."""
    frame = run.session.frames[-1]
    _back_to(run, len(run.session.frames) - 1)
    graph = run.flows.graph(frame.flow_id, frame.flow_version)
    if graph is None or frame.node not in graph.nodes:
        return False
    run.graph = graph
    run.node = graph.nodes.made.get(frame.node) or graph.nodes.make(frame.node, run.work)
    graph.nodes.used = True
    return True


def stand_in(run: Run, graph: Graph) -> bool:
    """Whether the session is in this version of a flow, or has called others from there: it is back there then."""
    session = run.session
    if (session.flow_id, session.flow_version) == (graph.flow_id, graph.version):
        return True
    for place in reversed(range(len(session.frames))):
        frame = session.frames[place]
        if (frame.flow_id, frame.flow_version) == (graph.flow_id, graph.version):
            _back_to(run, place)
            return True
    return False


def _back_to(run: Run, place: int) -> None:
    session = run.session
    frame = session.frames[place]
    session.flow_id, session.flow_version, session.memory = frame.flow_id, frame.flow_version, frame.memory
    session.frames = session.frames[:place]
    run.stand_in(session)
