"""The bombs: programs that a user may write and that once stopped a process. One file each, in `programs`.

A file says `engine`, `about` (what it does to an engine that is not bounded), `source` and `values`, by root. A long
text is a list of texts and [text, times]; a value may be `{times, of}` (a list), `{times, text}` or `{lists_in_lists}`
(so deep).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class Bomb:
    """One program, with the values that it is given."""

    name: str
    engine: str
    source: str
    values: dict[str, Any]
    harmless: bool
    """The engine now does what it says, for little."""


@lru_cache(maxsize=1)
def bombs() -> tuple[Bomb, ...]:
    """All of them, by name."""
    return tuple(_read(path) for path in sorted(PROGRAMS.glob("*.toml")))


def _read(path: Path) -> Bomb:
    raw = tomllib.loads(path.read_text())
    assert raw["about"]
    return Bomb(
        path.stem, raw["engine"], _text(raw["source"]), _value(raw.get("values", {})), raw.get("harmless", False)
    )


def _text(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    return "".join(part if isinstance(part, str) else part[0] * part[1] for part in raw)


def _value(raw: Any) -> Any:
    if isinstance(raw, list):
        return [_value(item) for item in raw]
    if not isinstance(raw, dict):
        return raw
    if raw.keys() == {"times", "of"}:
        return [_value(raw["of"]) for _ in range(raw["times"])]
    if raw.keys() == {"times", "text"}:
        return raw["text"] * raw["times"]
    if raw.keys() == {"lists_in_lists"}:
        nested: Any = 1
        for _ in range(raw["lists_in_lists"]):
            nested = [nested]
        return nested
    return {name: _value(item) for name, item in raw.items()}
