"""Plays a flow file: a script, or line by line what somebody types."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from contracts.sentences import sentence
from flowlang.language import yaml_text
from flowlang.language.cases import Given, Script, ScriptStep
from flowlang.simulation.cases import play
from flowlang.simulation.simulation import CannotPlay, Played, Simulation
from flowtools.files import FlowFile
from flowtools.playing import CodeRunner, bot_of, surroundings

Model = TypeVar("Model", bound=BaseModel)


class BadScript(Exception):
    """The script, or a typed line, is no step; the text says why."""


async def simulate(
    file: FlowFile, beside: Sequence[FlowFile], script: FlowFile | None, lines: Iterable[str] | None, *, as_json: bool
) -> bool:
    """Prints what each step does. False where one could not be played, or an expectation was not met. Raises BadScript."""
    if script is not None:
        return await _scripted(file, beside, script, as_json=as_json)
    return await _typed(file, beside, lines or (), as_json=as_json)


async def _scripted(file: FlowFile, beside: Sequence[FlowFile], script: FlowFile, *, as_json: bool) -> bool:
    asked = _script(script)
    async with CodeRunner() as runner:
        told = await runner.to_the_end(
            play(bot_of(file, beside), file.slug or "", asked.given, asked.steps, surroundings())
        )
    if as_json:
        _print_json(told.as_json())
    else:
        for played in told.steps:
            _print(shown(played))
    for problem in told.problems:
        print(script.finding(problem), file=sys.stderr)
    return not any(problem.severity == "error" for problem in told.problems)


async def _typed(file: FlowFile, beside: Sequence[FlowFile], lines: Iterable[str], *, as_json: bool) -> bool:
    simulation, all_played = Simulation(bot_of(file, beside), Given(), surroundings(), file.slug or ""), True
    async with CodeRunner() as runner:
        for line in lines:
            try:
                played = await runner.to_the_end(simulation.play(typed_step(line)))
            except (BadScript, CannotPlay) as error:
                print(error, file=sys.stderr)
                all_played = False
                continue
            if as_json:
                _print_json(played.as_json())
            else:
                _print(shown(played))
    return all_played


def typed_lines(stream: TextIO) -> Iterator[str]:
    """What is typed, with a prompt where a person sits there."""
    while True:
        if stream.isatty():
            print("> ", end="", flush=True)
        line = stream.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def typed_step(line: str) -> ScriptStep:
    """`{wait: PT1H}` is a step; anything else is what the person writes. Raises BadScript."""
    if not line.startswith("{"):
        return ScriptStep(say=line)
    return _validated(ScriptStep, _parsed(line), line)


def _script(file: FlowFile) -> Script:
    return _validated(Script, _parsed(file.text), file.name)


def _parsed(text: str) -> Any:
    try:
        return yaml_text.parse(text)
    except ValueError as error:
        raise BadScript(str(error)) from error


def _validated(model: type[Model], raw: Any, what: str) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False)[0]
        place = "/".join(map(str, found["loc"]))
        raise BadScript(f"{what}: {place}: {sentence(found)}" if place else f"{what}: {sentence(found)}") from error


def shown(played: Played) -> Iterator[str]:
    """What a step has done, for a person to read."""
    for turn in played.turns:
        if turn["event"]["kind"] != "message":
            yield f"  [{turn['event']['kind']} at {turn['at']}]"
        for node in turn["nodes"]:
            yield f"  {node['node'] or '-'} ({node['type']})" + (f" -> {node['port']}" if "port" in node else "")
            if "error" in node:
                yield f"    error {node['error']['type']}: {node['error']['detail']}"
        for effect in turn["effects"]:
            yield from _shown_effect(effect)
        if "refused" in turn:
            yield f"  refused: {turn['refused']['detail']}"
    wait = (played.after["conversation"].get("session") or {}).get("wait")
    yield f"  waits at {wait['node']}" if wait else "  no session waits"


def _shown_effect(effect: dict[str, Any]) -> Iterator[str]:
    kind = effect["effect"]
    if kind == "say":
        yield f"  bot: {effect['text']}"
        options = [*effect.get("buttons", ()), *effect.get("quick_replies", ())]
        if options:
            yield "       " + " ".join(f"[{option['title']}]" for option in options)
    elif kind == "emit_event":
        yield f"    event {effect['type']}"
    elif kind not in ("start_timer", "cancel_timer"):
        rest = {name: value for name, value in effect.items() if name not in ("effect", "wait", "contact", "flow")}
        yield f"    {kind} {orjson.dumps(rest).decode()}"


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _print_json(value: Any) -> None:
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), flush=True)
