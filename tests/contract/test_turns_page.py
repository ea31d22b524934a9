"""docs/reference/turns.md: the precedence is the interpreter's, and each history that it names is recorded."""

from __future__ import annotations

import re
from pathlib import Path

from flowlang.running.run import ROOM, STEP_BUDGET
from flowlang.triggers.base import Precedence

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/turns.md").read_text()
RECORDED = {file.stem for file in (ROOT / "tests/histories/recorded").glob("*.json")}


def test_the_order_is_the_interpreters() -> None:
    listed = re.findall(r"(?m)^\d\. (?:`(\w+)`|what the conversation waits for)", PAGE)
    assert [one for one in listed if one] == [one.name.lower() for one in sorted(Precedence)]
    assert listed.index("") == 1


def test_each_history_is_recorded() -> None:
    rows = [line.split("|")[3] for line in PAGE.splitlines() if line.startswith("| ")]
    named = {name for cell in rows for name in re.findall(r"`([\w-]+)`", cell)}
    assert len(named) > 20
    assert named <= RECORDED, named - RECORDED


def test_bounds_are_the_interpreters() -> None:
    assert f"until one waits, the path ends, or {STEP_BUDGET} nodes" in PAGE
    assert f"more than {ROOM} messages" in PAGE
