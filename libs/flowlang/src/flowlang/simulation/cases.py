"""Plays scripts and test cases to their end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from flowlang.language.cases import Case, Given, ScriptStep
from flowlang.model import RunCode
from flowlang.problems import Problem, pointer
from flowlang.running.bot_flows import BotFlows
from flowlang.simulation.judging import misses
from flowlang.simulation.simulation import CannotPlay, Played, Simulation
from flowlang.simulation.stage import NOTHING, Surroundings

Runs = Generator[RunCode, dict[str, Any], "Told"]
Result = TypeVar("Result")


@dataclass(slots=True)
class Told:
    """What became of a script. `problems` point into the document, or into the script that was handed over."""

    before: dict[str, Any] = field(default_factory=dict)
    steps: list[Played] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """`{before, steps: [{does, turns, after}], problems: [{pointer, code, detail}]}`."""
        return {
            "before": self.before,
            "steps": [one.as_json() for one in self.steps],
            "problems": [{"pointer": "#" + one.pointer, "code": one.code, "detail": one.message} for one in self.problems],
        }  # fmt: skip


def play(
    flows: BotFlows, slug: str, given: Given, steps: Sequence[ScriptStep], around: Surroundings = NOTHING, at: str = ""
) -> Runs:
    """The script, with what its steps expect. `slug` is the flow that `start` starts; `at` the pointer of the script."""
    simulation = Simulation(flows, given, around, slug)
    told = Told(before=simulation.state)
    for index, step in enumerate(steps):
        place = at + pointer("steps", index)
        try:
            played = yield from simulation.play(step)
        except CannotPlay as error:
            told.problems.append(Problem(f"{place}/{step.does}", "error", "cannot-play", str(error)))
            return told
        told.steps.append(played)
        if step.expect is not None:
            told.problems.extend(_missed(f"{place}/expect", misses(step.expect, [played])))
    for node in simulation.unused_answers:
        message = f"an answer is given for the node {node!r}, and it asked for none"
        told.problems.append(Problem(at + pointer("given", "answers", node), "error", "unused-answer", message))
    for node in simulation.open_calls:
        message = f"the node {node!r} waits for an answer: give one in `given.answers`, or by a step `answer`"
        told.problems.append(Problem(at + pointer("steps"), "warning", "unanswered", message))
    return told


def play_case(flows: BotFlows, slug: str, case: Case, around: Surroundings = NOTHING, at: str = "") -> Runs:
    """The case, with what it expects of all steps. `at` is its pointer in the document."""
    told = yield from play(flows, slug, case.given, case.steps, around, at)
    if case.expect is not None and len(told.steps) == len(case.steps):
        told.problems.extend(_missed(f"{at}/expect", misses(case.expect, told.steps)))
    return told


def to_the_end(
    play: Generator[RunCode, dict[str, Any], Result], run_code: Callable[[RunCode], dict[str, Any]]
) -> Result:
    """Drives it; `run_code` gives the data of a `code_result`."""
    try:
        wanted = next(play)
        while True:
            wanted = play.send(run_code(wanted))
    except StopIteration as ended:
        result: Result = ended.value
        return result


def _missed(at: str, found: Any) -> list[Problem]:
    return [Problem(f"{at}/{name}", "error", "not-as-expected", sentence) for name, sentence in found]
