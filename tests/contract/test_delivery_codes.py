"""docs/reference/delivery-codes.md has every code that a delivery can end or wait with."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

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
    for source in SOURCES:
        for path in source.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PLACES:
                    yield from literals(node, PLACES[node.func.id])


def literals(call: ast.Call, place: int | None) -> Iterator[str]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if place is not None and len(call.args) > place:
        given.append(call.args[place])
    for value in given:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value


@pytest.mark.parametrize("code", sorted(set(codes())))
def test_the_code_is_in_the_page(code: str) -> None:
    assert f"`{code}`" in PAGE
