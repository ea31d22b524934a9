"""How the code is kept (CONTRIBUTING.md): sizes of files and functions, and docstrings where others read first."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import quantiles

import pytest

ROOT = Path(__file__).parents[2]
MOST_LINES = 400
LINES_OF_NINE_TENTHS = 20
MEMBERS = [
    str(path.relative_to(ROOT))
    for path in (
        ROOT / "contracts",
        *sorted((ROOT / "libs").iterdir()),
        *sorted((ROOT / "services").iterdir()),
        ROOT / "sdk/python",
    )
    if (path / "pyproject.toml").exists()
]
DOCUMENTED = tuple(member for member in MEMBERS if not member.startswith("services/"))
"""Members of which every public thing has a docstring; of the services it is the ports (Protocols)."""
NOT_OURS = {"migrations", ".venv"}

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not NOT_OURS & set(path.parts):
                yield path


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def is_port(node: Definition) -> bool:
    """Whether it is a class with typing.Protocol among its bases."""
    if not isinstance(node, ast.ClassDef):
        return False
    bases = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in bases)


def public(body: Iterable[ast.stmt]) -> list[Definition]:
    return [node for node in body if isinstance(node, Definition) and not node.name.startswith("_")]


@cache
def methods_of_ports() -> frozenset[str]:
    """Names of methods that a port describes: a class that has one is likely to implement the port."""
    return frozenset(
        method.name
        for path in sources(*MEMBERS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef) and is_port(node)
        for method in public(node.body)
    )


def silent(body: Iterable[ast.stmt], *, ports_only: bool) -> Iterator[str]:
    """Public functions and classes without a docstring, and methods of those classes that nothing describes."""
    for node in public(body):
        if ports_only and not is_port(node):
            continue
        if ast.get_docstring(node) is None:
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{each.name}" for each in public(node.body) if not described(each, node))


def described(method: Definition, owner: ast.ClassDef) -> bool:
    """By itself, by name in the docstring of its class, or by the base or the port that it implements."""
    decorators = {ast.unparse(each).rpartition(".")[2] for each in method.decorator_list}
    return (
        ast.get_docstring(method) is not None
        or f"`{method.name}" in (ast.get_docstring(owner) or "")
        or bool(decorators & {"setter", "overload"})
        or (not is_port(owner) and (bool(owner.bases) or method.name in methods_of_ports()))
    )


def test_no_file_is_too_long() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in sources(*MEMBERS, "bench", "tests")}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


@pytest.mark.parametrize("member", MEMBERS)
def test_nine_functions_of_ten_are_short(member: str) -> None:
    lengths = [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for path in sources(member)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert quantiles(lengths, n=10)[-1] <= LINES_OF_NINE_TENTHS


@pytest.mark.parametrize("member", MEMBERS)
def test_what_others_read_first_has_a_docstring(member: str) -> None:
    missing = {}
    for path in sources(member):
        tree = ast.parse(path.read_text())
        names = list(silent(tree.body, ports_only=member not in DOCUMENTED))
        if ast.get_docstring(tree) is None and (tree.body or path.name == "__init__.py"):
            names.insert(0, "the module")
        if names:
            missing[shown(path)] = names
    assert missing == {}
