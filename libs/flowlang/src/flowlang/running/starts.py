"""Runs that another program starts: a trigger's webhook or a command of Kafka (S5), a generated URL (B), a flow (B4)."""

from __future__ import annotations

from typing import Any

from flowlang.graph import CompiledTrigger, Graph
from flowlang.model import Refused
from flowlang.running import sessions
from flowlang.running.bot_flows import Entry
from flowlang.running.messages import enter, first_open, is_open
from flowlang.running.reachability import why_unreachable
from flowlang.running.run import Run
from flowlang.running.walk import walk
from flowlang.triggers.models import wrong_variables


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
    refused = _wrong_variables(trigger, data.get("variables") or {}) or why_unreachable(run.conversation)
    if refused is None and trigger is not None and not is_open(run, Entry(graph, trigger)):
        refused = Refused("condition-not-met", 409, f"The condition of {trigger.id!r} is not met for this person.")
    if refused is not None:
        refuse(run, refused)
        return
    _launch(run, graph, trigger, data.get("variables") or {})


def _wrong_variables(trigger: CompiledTrigger | None, variables: dict[str, Any]) -> Refused | None:
    wrong = wrong_variables(dict(trigger.accept), variables) if trigger and trigger.accept else []
    if not wrong:
        return None
    return Refused("variables-wrong", 422, "; ".join(sentence for _, sentence in wrong) + ".")


def _launch(run: Run, graph: Graph, trigger: CompiledTrigger | None, variables: dict[str, Any]) -> None:
    trigger_id, trigger_type = (trigger.id, trigger.type) if trigger else ("start", "api")
    sessions.launch(run, graph, trigger_id, trigger_type)
    run.graph = graph
    declared = {name: value for name, value in variables.items() if name in graph.memory_names}
    session = run.session
    session.memory = {**session.memory, **declared}
    run.stand_in(session)
    walk(run, graph, trigger.to if trigger else graph.start)


def open_url(run: Run) -> None:
    """`url`: a generated URL was opened."""
    if not _run_command(run):
        detail = f"The bot has no command {run.happening.data.get('command')!r} any more."
        refuse(run, Refused("command-unknown", 404, detail))


def run_command(run: Run) -> None:
    """`command`: a flow runs a command for this person. The bot has to be able to write to them (S6)."""
    refused = None if run.nobody else why_unreachable(run.conversation)
    if refused is not None:
        refuse(run, refused)
    elif not _run_command(run):
        detail = f"The bot has no command {run.happening.data.get('command')!r}."
        refuse(run, Refused("command-unknown", 404, detail))


def _run_command(run: Run) -> bool:
    entry = first_open(run, run.flows.url_commands(str(run.happening.data.get("command") or "")))
    if entry is not None:
        enter(run, entry)
    return entry is not None


def refuse(run: Run, refused: Refused) -> None:
    """The event may not start what it asked for."""
    run.refused = refused
    run.settled.add(run.happening.id)
