"""Who takes a person's message: a fixed order, across all flows of the bot.

A word by which a person unsubscribes, or comes back, is taken before all else (flowlang.running.opting).
While a call is in flight the node's `while_waiting` decides first. Then: a tap on a button, commands (inside a question
too), the question that waits, the title of a button of the last message, and the other triggers in their precedence
(triggers.base.Precedence): the buttons' payloads, keywords, first_message, any_message, no_match.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flowlang.graph import Graph, GraphNode
from flowlang.model import Happening, Session
from flowlang.problems import NodeError
from flowlang.running import frames, opting, sessions
from flowlang.running.memory import has_room
from flowlang.running.payloads import split_payload
from flowlang.running.run import Run
from flowlang.running.starts import enter_first
from flowlang.running.walk import answered, fail_gone, resume, walk
from flowlang.triggers.base import Arrival

QUEUE_LIMIT = 20
QUEUE_BYTES = 8 * 1024
_NO_ROOM: dict[str, Any] = {
    "outcome": "error",
    "body": None,
    "error": {
        "type": "state-full",
        "detail": "the conversation had no room for the answer until the node could take it",
    },
}
"""In place of an answer that is too large to wait."""
KEPT_TEXT = 4096
"""Characters of the last message that are remembered."""


def receive(run: Run) -> None:
    """A message has arrived: note it, and let it wait or be taken."""
    conversation = run.conversation
    first = _note(run)
    if opting.took(run):
        return
    session = conversation.session
    if session is not None and session.wait is not None and session.wait.kind in sessions.IN_FLIGHT:
        _while_in_flight(run, session.wait.data.get("while_waiting", "queue"), first)
    else:
        take(run, first=first)


def for_people(run: Run) -> None:
    """A message has arrived that no flow takes: agents answer."""
    _note(run)
    opting.note(run)
    run.conversation.unread += 1
    run.steps.append({"node": None, "type": "message", "port": "live_chat"})


def _note(run: Run) -> bool:
    """Who writes can be written to. Whether it is their first message."""
    conversation = run.conversation
    first, conversation.talked = not conversation.talked, True
    conversation.reachable = "subscribed"
    text = run.happening.data.get("text")
    if isinstance(text, str):
        conversation.last_message = text[:KEPT_TEXT]
    return first


def _while_in_flight(run: Run, manner: str, first: bool) -> None:
    if manner == "interrupt":
        take(run, first=first)
    elif manner == "queue" and enqueue(run):
        run.settled.add(run.happening.id)
    else:
        run.steps.append({"node": None, "type": "message", "port": "ignored"})


def enqueue(run: Run) -> bool:
    """Keep the event until the call in flight has ended. False when there is no room for it; of a call's answer without room the
    node that waits for it hears that."""
    happening, queued = run.happening, run.conversation.queued
    kept = {"id": happening.id, "kind": happening.kind, "data": happening.data}
    fits = has_room(run.conversation, run.conversation.stack, kept)
    if happening.kind == "message":
        size = sum(len(str(one["data"])) for one in queued) + len(str(happening.data))
        if len(queued) >= QUEUE_LIMIT or size > QUEUE_BYTES or not fits:
            return False
    elif not fits and happening.kind == "call_result":
        kept["data"] = {**happening.data, **_NO_ROOM}
    elif not fits and happening.kind == "signal":
        run.steps.append({"node": None, "type": happening.kind, "port": "ignored"})
        return False
    run.conversation.queued = [*queued, kept]
    return True


def take(run: Run, *, first: bool = False) -> None:
    """Give the message to who takes it. `first`: the person has never written before."""
    if _is_tap(run):
        _tap(run)
        return
    typed = None if run.happening.data.get("payload") else run.happening.data.get("text")
    if run.conversation.taps:
        _report_title(run, typed)
    arrival = Arrival(run.happening, first, run.work)
    if enter_first(run, run.flows.before_what_waits(arrival), arrival):
        return
    if _waiting_question(run) or _titled_button(run, typed):
        return
    enter_first(run, run.flows.after_what_waits(arrival), arrival)


def _waiting_question(run: Run) -> bool:
    session = run.conversation.session
    if session is None or session.wait is None or session.wait.kind != "answer":
        return False
    resume_with(run, session, run.happening)
    return True


def resume_with(run: Run, session: Session, happening: Happening) -> None:
    """The present session takes the event, if its flow version is still there."""
    graph = graph_of(run, session)
    if graph is not None:
        if happening.kind == "message":
            sessions.act_for(run)
        resume(run, graph, happening)


def graph_of(run: Run, session: Session) -> Graph | None:
    """The version that a session stands on. When it is gone for ever, the node that called it fails, or the session is over."""
    graph = run.flows.graph(session.flow_id, session.flow_version)
    wait = session.wait
    if graph is not None and (wait is None or wait.node in graph.nodes):
        return graph
    if session.frames:
        sessions.stop_waiting(run, session)
        if run.happening.kind == "message":
            sessions.act_for(run)
    fail_gone(run)
    return None


def _is_tap(run: Run) -> bool:
    seq, _ = split_payload(run.happening.data.get("payload"))
    return seq is not None


def _tap(run: Run) -> None:
    """A tap on a button of ours. One that was used, or whose question is over, does nothing."""
    seq, option = split_payload(run.happening.data.get("payload"))
    place = run.conversation.taps.get(seq or "")
    session = run.conversation.session
    if place is None or option is None:
        run.steps.append({"node": None, "type": "tap", "port": "late"})
    elif "wait" in place:
        if session is not None and session.wait is not None and session.wait.token == place["wait"]:
            resume_with(run, session, run.happening)
        else:
            run.steps.append({"node": place["node"], "type": "tap", "port": "late"})
    else:
        _press(run, seq or "", place, option)


def _press(run: Run, seq: str, place: dict[str, Any], option: str) -> None:
    """A button of a `say`: to its target, or its title and payload as the person's message. A second tap finds nothing."""
    run.conversation.taps = {kept: tap for kept, tap in run.conversation.taps.items() if kept != seq}
    graph = run.flows.graph(place["flow_id"], place["flow_version"])
    node = _node(run, graph, place["node"])
    title = place.get("titles", {}).get(option)
    target = node.targets.get(option) if node else None
    if graph is not None and node is not None and target is not None:
        _lead(run, graph, node, option, target)
    elif title is not None:
        if graph is not None and node is not None:
            _report(run, graph, node, option)
        payload = place.get("payloads", {}).get(option)
        data = {**run.happening.data, "text": title, "payload": payload} | ({"type": "choice"} if payload else {})
        run.take(run.happening.showing(data))
        take(run)


def _lead(run: Run, graph: Graph, node: GraphNode, option: str, target: str) -> None:
    """Take the session to a button's target from wherever it waits, also in a flow that this one called; without a session
    of this flow, begin one there."""
    session = run.conversation.session
    if session is not None and frames.stand_in(run, graph):
        sessions.stop_waiting(run, session)
        sessions.act_for(run)
    else:
        sessions.launch(run, graph, option, "button")
    _report(run, graph, node, option)
    walk(run, graph, target)


def _node(run: Run, graph: Graph | None, id: str) -> GraphNode | None:
    """The node of a button, made ready to run; None where there is none."""
    if graph is None or id not in graph.nodes:
        return None
    return graph.nodes.made.get(id) or graph.nodes.make(id, run.work)


def _report(run: Run, graph: Graph, node: GraphNode, option: str) -> None:
    """Tell that a button of the node was pressed, if its report is about that."""
    run.graph, run.node = graph, node
    try:
        answered(run, node, option)
    except NodeError as error:
        run.steps.append({"node": node.id, "type": "report", "error": error.as_dict()})


class _Titled(NamedTuple):
    """A button or quick reply of the last message that has some."""

    seq: str
    option: str
    graph: Graph
    node: GraphNode


def _titled(run: Run, text: Any) -> Iterator[_Titled]:
    """The buttons whose title this is, typed or sent by a reply keyboard."""
    taps = run.conversation.taps
    if not taps or not isinstance(text, str):
        return
    seq = next(reversed(taps))
    word = text.strip().casefold()
    for option, title in taps[seq].get("titles", {}).items():
        if title.strip().casefold() == word:
            graph = run.flows.graph(taps[seq]["flow_id"], taps[seq]["flow_version"])
            node = _node(run, graph, taps[seq]["node"])
            if graph is not None and node is not None:
                yield _Titled(seq, option, graph, node)


def _does_something(run: Run, found: _Titled) -> bool:
    """Whether it is more than its title: it has a target, or a payload."""
    return found.option in found.node.targets or found.option in run.conversation.taps[found.seq].get("payloads", {})


def _report_title(run: Run, text: Any) -> None:
    """A button that leads nowhere is pressed on a reply keyboard: its title comes as a message. It is pressed once."""
    for found in _titled(run, text):
        if not _does_something(run, found):
            run.conversation.taps = {kept: tap for kept, tap in run.conversation.taps.items() if kept != found.seq}
            _report(run, found.graph, found.node, found.option)
            return


def _titled_button(run: Run, text: Any) -> bool:
    """A button with a target or a payload, by its title: as if it were tapped."""
    for found in _titled(run, text):
        if _does_something(run, found):
            _press(run, found.seq, run.conversation.taps[found.seq], found.option)
            return True
    return False
