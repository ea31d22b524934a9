"""Records a history: `PYTHONPATH=tests .venv/bin/python -m histories.record FILE…`.

A file is YAML: `about` (one sentence), `flows` (documents, the first is what `start` starts), `given` and `steps` as a test case has
them, and `opt_out`, the bot's. It is recorded under the file's name, once: what was recorded is not written anew.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson

from flowlang.language import yaml_text
from flowtools.playing import CodeRunner
from histories import FOLDER, as_data, playing

FIELDS = ("about", "flows", "opt_out", "given", "steps")


def record(file: Path) -> None:
    """Raises SystemExit where there is one of that name, or the script cannot be played."""
    target = FOLDER / f"{file.stem}.json"
    if target.exists():
        raise SystemExit(f"{target} is recorded: take another name")
    asked = yaml_text.parse(file.read_text())
    history = {name: asked[name] for name in FIELDS if name in asked}
    results, told = asyncio.run(_played(history))
    if told["problems"]:
        raise SystemExit(f"{file}: {told['problems']}")
    target.write_text(_written(history | {"code": results, "told": told}))


async def _played(history: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What its code gave, and what became of it."""
    results: list[dict[str, Any]] = []
    script = playing(history)
    async with CodeRunner() as runner:
        try:
            wanted = next(script)
            while True:
                results.append(await runner.run(wanted))
                wanted = script.send(results[-1])
        except StopIteration as ended:
            return results, as_data(ended.value)


def _written(history: dict[str, Any]) -> str:
    """A line for each field, and one for each step of what came out."""
    told = history.pop("told")
    lines = [f"{_json(name)}: {_json(value)}," for name, value in history.items()]
    steps = ",\n  ".join(_json(step) for step in told["steps"])
    rest = {name: value for name, value in told.items() if name != "steps"}
    lines.append(f'"told": {_json(rest)[:-1]}, "steps": [\n  {steps}\n]}}')
    return "{\n" + "\n".join(lines) + "\n}\n"


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


if __name__ == "__main__":
    for name in sys.argv[1:]:
        record(Path(name))
