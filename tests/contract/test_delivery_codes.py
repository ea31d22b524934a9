"""docs/reference/delivery-codes.md has every code that a delivery can end or wait with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from dispatcher.errors import DispatcherError
from servicekit.http_client.guarded_http import Code

ROOT = Path(__file__).parents[2]
SOURCES = (ROOT / "services/dispatcher/src", ROOT / "libs/channels/src")
PAGE = (ROOT / "docs/reference/delivery-codes.md").read_text()
PLACES = {"NoRequest": 1, "Reading": 1, "Refusal": 0, "Rule": 2, "Result": None}
"""Who is given a code -> as which argument; always as `code=…`, too."""
NEVER_KEPT = {"withdrawn"}
"""Becomes `lease-lost`."""


def codes() -> Iterator[str]:
    yield from set(get_args(Code)) - NEVER_KEPT
    yield from (error.code for error in DispatcherError.__subclasses__())
    trees = [ast.parse(path.read_text()) for source in SOURCES for path in source.rglob("*.py")]
    constants = {
        target.id: node.value.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for tree in trees:
        for value in filter(None, map(given, ast.walk(tree))):
            code = constants.get(value.id) if isinstance(value, ast.Name) else getattr(value, "value", None)
            if isinstance(code, str):
                yield code


def given(node: ast.AST) -> ast.expr | None:
    """The code that a call is given."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PLACES):
        return None
    named = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
    place = PLACES[node.func.id]
    return named[0] if named else node.args[place] if place is not None and len(node.args) > place else None


@pytest.mark.parametrize("code", sorted(set(codes())))
def test_the_code_is_in_the_page(code: str) -> None:
    assert f"`{code}`" in PAGE
