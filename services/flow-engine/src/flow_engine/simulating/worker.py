"""What a worker process does for a simulation: it reads the document, and plays the script from its first step on.

Code nodes run elsewhere: where the script comes to one that has no result yet, the worker answers with it, and is asked once more
with one result more. A simulation is a pure function of the task, so it comes to the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from contracts.registry import OptOut
from flowlang.graph import Graph
from flowlang.language.cases import Script
from flowlang.language.check import check
from flowlang.language.compile import compile_flow
from flowlang.language.document import load, parse
from flowlang.model import RunCode
from flowlang.problems import FlowInvalid, Problem
from flowlang.running.bot_flows import BotFlows
from flowlang.simulation.cases import play
from flowlang.simulation.stage import Surroundings, compiled

TARGET = f"{__name__}:make"
MOST_ANSWERED = 4 << 20
"""Bytes of an answer."""


class Simulate(NamedTuple):
    """`document` is JSON data or the text of one in YAML; None: the published flow of this `slug`. `others` are the versions of
    the bot's flows, JSON of contracts.registry.FlowVersion, the one of `slug` among them where it is simulated itself."""

    document: dict[str, Any] | str | None
    slug: str
    others: tuple[bytes, ...]
    script: Script
    bot_name: str | None
    variables: Mapping[str, Any]
    opt_out: OptOut | None
    segments: Mapping[str, str]
    """Name -> filter."""
    channels: Mapping[str, Mapping[str, Any]]
    """Type of a channel -> what a message may be there, as flowtools.channel_facts has it."""
    results: tuple[dict[str, Any], ...] = ()
    """Of the code nodes that the script comes to, in their order."""


class Unsound(NamedTuple):
    """The document has errors: `{pointer, severity, code, detail}`."""

    problems: Sequence[dict[str, str]]


class TooMuch(NamedTuple):
    """The answer would have more than MOST_ANSWERED bytes."""


Answer = RunCode | Unsound | TooMuch | bytes
"""Code to run first; or what became of it, JSON."""


def make(settings: None) -> Callable[[Simulate, Callable[[], None]], Answer]:
    """The target of servicekit.workers."""
    return simulate


def simulate(task: Simulate, progress: Callable[[], None]) -> Answer:
    """Plays it as far as there are results for its code."""
    try:
        flows, slug = _flows(task)
    except FlowInvalid as error:
        return Unsound([_shown(problem) for problem in error.problems if problem.severity == "error"])
    around = Surroundings(task.variables, task.bot_name, task.opt_out, task.segments.get, task.channels)
    playing, results = play(flows, slug, task.script.given, task.script.steps, around), iter(task.results)
    try:
        code = next(playing)
        for result in results:
            code = playing.send(result)
    except StopIteration as ended:
        answer = orjson.dumps(ended.value.as_json())
        return answer if len(answer) <= MOST_ANSWERED else TooMuch()
    return code


def _flows(task: Simulate) -> tuple[BotFlows, str]:
    """The bot, and the slug of what is simulated. Raises FlowInvalid."""
    graphs, slug = list[Graph](), task.slug
    if task.document is not None:
        document = parse(task.document) if isinstance(task.document, str) else task.document
        problems = check(loaded := load(document))
        if any(problem.severity == "error" for problem in problems):
            raise FlowInvalid(problems)
        slug = loaded.slug
        graphs.append(compiled(document))
    graphs += [graph for graph in map(compile_flow, task.others) if task.document is None or graph.slug != slug]
    return BotFlows(graphs), slug


def _shown(problem: Problem) -> dict[str, str]:
    pointer = f"#/document{problem.pointer}"
    return {"pointer": pointer, "severity": problem.severity, "code": problem.code, "detail": problem.message}
