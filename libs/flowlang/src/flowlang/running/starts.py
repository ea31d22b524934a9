"""How a run begins: an event finds a trigger that takes it, or another program names the flow or the command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowlang.graph import Graph
from flowlang.model import Refused
from flowlang.problems import NodeError
from flowlang.running import sessions
from flowlang.running.bot_flows import Entry
from flowlang.running.memory import note
from flowlang.running.reachability import why_not_begun
from flowlang.running.run import Run
from flowlang.running.walk import walk
from flowlang.triggers.base import Arrival, CompiledTrigger
from flowlang.triggers.registry import TRIGGER_KINDS
from flowlang.work import TooCostly


def enter_first(run: Run, entries: Iterable[Entry], arrival: Arrival) -> bool:
    """Start a session by the first of these triggers whose `when` is true or not there; False when there is none."""
    for entry in entries:
        if _is_open(run, entry):
            _enter(run, entry, entry.trigger.matcher.content(arrival))
            return True
    return False


def _is_open(run: Run, entry: Entry) -> bool:
    """Whether the trigger's `when` lets the event in; an error in it does not."""
    if entry.trigger.when is None:
        return True
    run.graph = entry.graph
    try:
        run.work.charge_turn(1)  # A bot may have thousands of them, and a simple comparison charges nothing.
        return entry.trigger.when.evaluate(run) is True
    except TooCostly:
        return False
    except NodeError as error:
        run.steps.append({"node": None, "type": "trigger", "port": entry.trigger.id, "error": error.as_dict()})
        return False
    finally:
        run.missing_names = []


def _enter(run: Run, entry: Entry, content: Any) -> None:
    if content is not None:
        run.take(run.happening.showing({**run.happening.data, "content": content}))
    sessions.launch(run, entry.graph, entry.trigger.id, entry.trigger.type)
    walk(run, entry.graph, entry.trigger.to)


def offer(run: Run) -> bool:
    """Let a trigger take the event, which nothing waits for. False when none does."""
    if not run.flows.listen_to(run.happening.kind):
        return False
    arrival = Arrival(run.happening, work=run.work)
    return enter_first(run, run.flows.takers(arrival), arrival)


def take_event(run: Run) -> None:
    """`event`: what became of a flow, or of its session, is not told to the flow itself, which would begin for ever."""
    data = run.happening.data
    arrival, about = Arrival(run.happening, work=run.work), data.get("flow") or {}
    own = about.get("id") if data["type"].startswith(("flow.", "session.")) else None
    entries = (entry for entry in run.flows.takers(arrival) if own is None or entry.graph.flow_id != own)
    enter_first(run, entries, arrival)


def start(run: Run) -> None:
    """`start`: refused with the reason when it may not begin, and then nothing has been sent."""
    data = run.happening.data
    graph = run.flows.current(data["flow_id"])
    if graph is None:
        refuse(run, Refused("trigger-unpublished", 404, "This flow is not published: publish it first."))
        return
    entry = data.get("entry")
    trigger = graph.triggers.get(entry) if entry else None
    if entry and trigger is None:
        detail = f"The published version of the flow has no entry {entry!r}: publish one that has it."
        refuse(run, Refused("trigger-unpublished", 404, detail))
        return
    variables = data.get("variables") or {}
    refused = _why_not(run, graph, trigger, variables)
    if refused is not None:
        refuse(run, refused)
    else:
        _launch(run, graph, trigger, variables)


def _why_not(run: Run, graph: Graph, trigger: CompiledTrigger | None, variables: dict[str, Any]) -> Refused | None:
    """Why the flow may not begin here; None when it may."""
    if trigger is not None and (refused := _why_not_variables(run, trigger, variables)):
        return refused
    if (refused := why_not_begun(run.conversation)) is not None:
        return refused
    if trigger is not None and not _is_open(run, Entry(graph, trigger)):
        return Refused("condition-not-met", 409, f"The condition of {trigger.id!r} is not met for this person.")
    return None


def _why_not_variables(run: Run, trigger: CompiledTrigger, variables: dict[str, Any]) -> Refused | None:
    if not TRIGGER_KINDS[trigger.type].IS_BOUNDED:
        try:
            run.work.pass_gate()
        except NodeError as error:
            return Refused("program-ended", 413, error.detail)
    wrong = trigger.matcher.wrong_variables(variables)
    return Refused("variables-wrong", 422, "; ".join(wrong) + ".") if wrong else None


def _launch(run: Run, graph: Graph, trigger: CompiledTrigger | None, variables: dict[str, Any]) -> None:
    trigger_id, trigger_type = (trigger.id, trigger.type) if trigger else ("start", "api")
    if (broadcast := run.happening.data.get("broadcast_id")) is not None:
        trigger_id, trigger_type = broadcast, "broadcast"
    sessions.launch(run, graph, trigger_id, trigger_type)
    run.graph = graph
    declared = {name: value for name, value in variables.items() if name in graph.memory_names}
    session = run.session
    note(run.memory_changes, session, declared)
    session.memory = {**session.memory, **declared}
    run.stand_in(session)
    walk(run, graph, trigger.to if trigger else graph.start)


def open_url(run: Run) -> None:
    """`url`: a generated URL was opened."""
    if not offer(run):
        detail = f"The bot has no command {run.happening.data.get('command')!r} any more."
        refuse(run, Refused("command-unknown", 404, detail))


def run_command(run: Run) -> None:
    """`command`: a flow runs a command for this person. The bot has to be able to write to them."""
    refused = None if run.nobody else why_not_begun(run.conversation)
    if refused is not None:
        refuse(run, refused)
    elif not offer(run):
        detail = f"The bot has no command {run.happening.data.get('command')!r}."
        refuse(run, Refused("command-unknown", 404, detail))


def refuse(run: Run, refused: Refused) -> None:
    """The event may not start what it asked for."""
    run.refused = refused
    run.settled.add(run.happening.id)
