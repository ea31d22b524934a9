"""What a docstring, comment or page refers to is in this repository: files, modules, numbered promises, decisions."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CODE_FOLDERS = ("contracts", "libs", "services", "sdk", "bench", "tests", "examples")
SKIPPED = {".venv", "node_modules", "__pycache__"}
PACKAGES = {
    **{path.name: path for path in ROOT.glob("*/src/*")},
    **{path.name: path for path in ROOT.glob("*/*/src/*")},
    "bench": ROOT / "bench",
    "support": ROOT / "tests" / "support",
}

FILE = re.compile(r"(?<![\w/{}<>$:.*-])((?:[\w.-]+/)*[\w-]+(?:\.[\w-]+)*\.(?:py|md|toml|sql|ya?ml|lock|txt))(?![\w(])")
FOLDER = re.compile(r"(?<![\w/.<-])((?:contracts|libs|services|sdk|bench|tests|docs|examples)/[\w./-]*[\w-])")
MODULE = re.compile(rf"(?<![\w./@-])((?:{'|'.join(sorted(PACKAGES))})(?:\.[A-Za-z_]\w*)+)(?![\w@/])")
PROMISES = re.compile(r"guarantees\.md\s(\d+(?:\.\d+)?(?:(?:,| and| or)\s\d+(?:\.\d+)?)*)")
DECISION = re.compile(r"\bADR[- ]?(\w+)|docs/decisions/(\d+)")
FOREIGN = re.compile(
    r"(?i:\b(?:hardening|guarantees?|issue)\s#?\d+)|§|\((?:[A-Z]\d{0,2})(?:(?:-|,\s|/)[A-Z]\d{0,2})*\)|\b[A-Z]\d{1,2}\b"
)
"""Numbers and letters of lists that a reader of this repository does not have, such as one of requirements."""
SQL_COMMENT = re.compile(r"(?m)(?:(?:^|\s)-- |^COMMENT ON )(.*)$")
OF_OTHERS = {"uv.lock", "pylock.toml", "minichat/__init__.py", "test_minichat.py", "test_greet.py", "test_happens.py"}
"""Files that other tools have elsewhere, and those that the pages about extensions have a reader write."""


class Prose(NamedTuple):
    """Words for a reader, and where they stand."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}"


def files(*patterns: str) -> Iterator[Path]:
    for pattern in patterns:
        yield from (path for path in sorted(ROOT.glob(pattern)) if not SKIPPED & set(path.parts))


def of_python(path: Path) -> Iterator[Prose]:
    """Docstrings, the attributes' too, comments, and comments in SQL."""
    text = path.read_text()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield Prose(path, node.lineno, node.value.value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from (Prose(path, node.lineno, found) for found in SQL_COMMENT.findall(node.value))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT and "noqa" not in token.string:
            yield Prose(path, token.start[0], token.string)


def of_comments(path: Path) -> Iterator[Prose]:
    """What stands behind a `#` in TOML, YAML and shell."""
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if found := re.search(r"(?:^|\s)#(.*)", line):
            yield Prose(path, number, found.group(1))


def of_page(path: Path) -> Iterator[Prose]:
    """Markdown, line by line, without what is quoted as code in a block."""
    fenced = False
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        fenced ^= line.startswith("```")
        if not fenced:
            yield Prose(path, number, line)


@cache  # Read by the first test that wants it: at collection, each worker of a run would.
def of_code() -> list[Prose]:
    commented = ("pyproject.toml", "*/pyproject.toml", "*/*/pyproject.toml", "examples/**/*.yaml", "switchhook")
    python = files(*(f"{folder}/**/*.py" for folder in CODE_FOLDERS))
    return [
        *(prose for path in python for prose in of_python(path)),
        *(prose for path in files(*commented) for prose in of_comments(path)),
    ]


@cache
def of_pages() -> list[Prose]:
    return [prose for path in files("*.md", "docs/**/*.md", "sdk/*/*.md") for prose in of_page(path)]


@cache
def spans() -> set[str]:
    """Dotted names that are not modules: of spans and the like."""
    return set(re.findall(r'"([a-z_]+\.[a-z_]+)"', " ".join(path.read_text() for path in files("*/*/src/**/*.py"))))


@cache
def names() -> list[str]:
    skipped = {*SKIPPED, ".git", ".switchhook"}
    folders = (folder for folder in ROOT.iterdir() if folder.name not in skipped)
    paths = (path for folder in folders for path in (folder, *(folder.rglob("*") if folder.is_dir() else ())))
    return [f"/{path.relative_to(ROOT)}" for path in paths if not skipped & set(path.parts)]


def missing(prose: list[Prose], find: Callable[[Prose], Iterator[str]]) -> list[str]:
    return [f"{each}: {found}" for each in prose for found in find(each)]


def missing_files(prose: Prose) -> Iterator[str]:
    """A file may be named by the end of its path, a folder by all of it."""
    for name in set(FILE.findall(prose.text)) - OF_OTHERS:
        wanted = "/" + name.removeprefix("./")
        if not (any(there.endswith(wanted) for there in names()) or (prose.path.parent / name).exists()):
            yield name
    for name in FOLDER.findall(prose.text):
        if not any(there.startswith(f"/{name}") for there in names()):
            yield name


def missing_modules(prose: Prose) -> Iterator[str]:
    for name in set(MODULE.findall(prose.text)) - spans():
        package, *rest = name.split(".")
        place = PACKAGES[package]
        while rest and (place / rest[0]).is_dir():
            place /= rest.pop(0)
        if rest and (place / f"{rest[0]}.py").exists():
            place /= f"{rest.pop(0)}.py"
        source = place if place.is_file() else place / "__init__.py"
        if rest and not (source.exists() and re.search(rf"\b{rest[0]}\b", source.read_text())):
            yield name


@cache
def promises() -> set[str]:
    """The numbers that guarantees.md has."""
    numbered = (ROOT / "docs/explanation/guarantees.md").read_text()
    return set(re.findall(r"(?m)^(?:## |\*\*)(\d+(?:\.\d+)?)[. *]", numbered))


def missing_numbers(prose: Prose) -> Iterator[str]:
    for found in PROMISES.findall(prose.text):
        numbers = re.findall(r"[\d.]+\d|\d", found)
        yield from (f"guarantees.md {number}" for number in numbers if number not in promises())
    for dashed, path in DECISION.findall(prose.text):
        number = dashed or path
        if not list((ROOT / "docs/decisions").glob(f"{number}-*.md")):
            yield f"ADR-{number}"


def foreign_codes(prose: Prose) -> Iterator[str]:
    yield from (found.group() for found in FOREIGN.finditer(prose.text))


@pytest.mark.parametrize("prose", [of_code, of_pages], ids=["code", "pages"])
def test_every_file_that_is_named_exists(prose: Callable[[], list[Prose]]) -> None:
    assert missing(prose(), missing_files) == []


@pytest.mark.parametrize("prose", [of_code, of_pages], ids=["code", "pages"])
def test_every_module_that_is_named_exists_and_has_the_name(prose: Callable[[], list[Prose]]) -> None:
    assert missing(prose(), missing_modules) == []


@pytest.mark.parametrize("prose", [of_code, of_pages], ids=["code", "pages"])
def test_every_promise_and_decision_that_is_cited_exists(prose: Callable[[], list[Prose]]) -> None:
    assert missing(prose(), missing_numbers) == []


@pytest.mark.parametrize("prose", [of_code, of_pages], ids=["code", "pages"])
def test_no_code_of_a_list_that_is_elsewhere_is_cited(prose: Callable[[], list[Prose]]) -> None:
    assert missing(prose(), foreign_codes) == []


def test_no_number_is_given_twice() -> None:
    numbered = (ROOT / "docs/explanation/guarantees.md").read_text()
    numbers = re.findall(r"(?m)^(?:\| |\*\*)(\d+(?:\.\d+)+)[ *]", numbered)
    assert sorted({each for each in numbers if numbers.count(each) > 1}) == []


def test_every_test_that_a_promise_names_is_there() -> None:
    numbered = (ROOT / "docs/explanation/guarantees.md").read_text()
    made = set(re.findall(r"\bdef (test_\w+)", " ".join(path.read_text() for path in files("tests/**/*.py"))))
    assert [name for name in re.findall(r"`(test_\w+)`", numbered) if name not in made] == []
