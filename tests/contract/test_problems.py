"""docs/reference/problems.md names every problem type that the code can answer, with its status."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("libs/*/src/**/*.py"), *ROOT.glob("services/*/src/**/*.py")])
PAGE = ROOT / "docs" / "reference" / "problems.md"
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| (\d{3}) \|", re.MULTILINE)
MAKERS = frozenset({"ProblemError", "problem", "Refused"})
"""Called with type and status as their first two arguments, in either order."""
PASS_ON = frozenset({
    "libs/servicekit/src/servicekit/web/problems.py",
    "services/flow-engine/src/flow_engine/batch/importing.py",
    "services/flow-engine/src/flow_engine/turn/answers.py",
    "services/flow-engine/src/flow_engine/turn/failed_turns.py",
    "services/flow-engine/src/flow_engine/turn/turns.py",
    "services/flow-engine/src/flow_engine/web/writing.py",
    "services/registry/src/registry/checking/checks.py",
    "services/ingress/src/ingress/wire/problems.py",
})  # fmt: skip
"""Files that make a problem of a type which they were given, or had from another problem."""

Told = tuple[str, int]


def calls(file: Path) -> Iterator[tuple[str, ast.Call]]:
    """(name, call) of each call of a plain name; methods of that name are something else."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, node


def problems_in(file: Path) -> Iterator[Told | None]:
    """Type and status of each problem that is made in a file; None where they are not literal."""
    for name, call in calls(file):
        if name in MAKERS:
            yield literal(call.args[:2])
        elif name == "failed_turn":
            yield literal([call.args[1], ast.Constant(413)])
        elif name == "invalid":
            yield from (literal([each.value, ast.Constant(422)]) for each in call.keywords if each.arg == "type_slug")


def literal(given: list[ast.expr]) -> Told | None:
    values = [each.value for each in given if isinstance(each, ast.Constant)]
    types = [each for each in values if isinstance(each, str)]
    statuses = [each for each in values if isinstance(each, int)]
    return (types[0], statuses[0]) if types and statuses else None


def test_every_problem_is_on_the_page_and_no_other() -> None:
    made = {told for file in SOURCES for told in problems_in(file) if told is not None}
    assert {(type, int(status)) for type, status in ROW.findall(PAGE.read_text())} == made


def test_no_problem_is_on_the_page_twice() -> None:
    rows = [type for type, _ in ROW.findall(PAGE.read_text())]
    assert sorted(rows) == sorted(set(rows))


def test_a_type_that_is_not_literal_is_passed_on_from_one_that_is() -> None:
    assert {str(file.relative_to(ROOT)) for file in SOURCES if None in problems_in(file)} == PASS_ON
