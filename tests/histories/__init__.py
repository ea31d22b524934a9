"""Recorded histories: a script on a flow, and all that the interpreter made of it when it was recorded.

They are never written anew. Where one is not repeated, something has changed that conversations which are in the middle of a
flow would meet: mend that, or, where it is meant, say in the commit why it harms nobody and remove the recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from contracts.registry import OptOut
from flowlang.language.cases import Script
from flowlang.simulation.cases import Runs, Told, play
from flowlang.simulation.stage import Surroundings, flows_of

FOLDER = Path(__file__).parent / "recorded"


def load(name: str) -> dict[str, Any]:
    """`{about, flows, opt_out?, given, steps, code, told}`."""
    history: dict[str, Any] = orjson.loads((FOLDER / f"{name}.json").read_bytes())
    return history


def names() -> list[str]:
    """Of all that were recorded."""
    return sorted(file.stem for file in FOLDER.glob("*.json"))


def replay(history: dict[str, Any]) -> dict[str, Any]:
    """What the interpreter makes of it now, as JSON data."""
    script, results = playing(history), iter(history["code"])
    try:
        next(script)
        while True:
            script.send(next(results))
    except StopIteration as ended:
        return as_data(ended.value)


def as_data(told: Told) -> dict[str, Any]:
    """As it is after it was written and read."""
    data: dict[str, Any] = orjson.loads(orjson.dumps(told.as_json()))
    return data


def playing(history: dict[str, Any]) -> Runs:
    """The script, to be driven."""
    script = Script.model_validate({"given": history.get("given", {}), "steps": history["steps"]})
    opt_out = OptOut.model_validate(history["opt_out"]) if "opt_out" in history else None
    flows = flows_of(history["flows"])
    return play(flows, history["flows"][0]["slug"], script.given, script.steps, Surroundings({}, opt_out=opt_out))


def visited(history: dict[str, Any]) -> Iterator[tuple[str, str | None]]:
    """(type, port) of each node that was visited, and (`trigger`, kind) of each trigger that let something in."""
    for step in history["told"]["steps"]:
        for turn in step["turns"]:
            yield from ((node["type"], node.get("port")) for node in turn["nodes"] if node["node"] is not None)
            for effect in turn["effects"]:
                if effect["effect"] == "emit_event" and effect["type"] == "flow.launched":
                    yield "trigger", effect["data"]["trigger"]["type"]
