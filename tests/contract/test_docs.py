"""The documentation says what is so: generated pages, links, named files, YAML flows, commands."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import get_args

import pytest

from contracts.registry import Scope
from devstack.reference_docs import FOLDER, pages
from flowlang.language.document import load, parse

ROOT = Path(__file__).parents[2]
PAGES = pages()
DOCS = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "examples" / "README.md",
        ROOT / "sdk/python/README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
NAMED_FILE = re.compile(r"`((?:contracts|libs|services|sdk|tests|bench|docs|examples)/[A-Za-z0-9_./-]+)`")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

RUN_BY = {
    "./switchhook demo": "tests/e2e/test_story.py",
    "./switchhook dev": "tests/component/devstack/test_dev.py",
    "./switchhook dev --reset": "tests/component/devstack/test_dev.py",
    "./switchhook test": ".ci/run",
    "./switchhook test fast": ".ci/run",
    "./switchhook test containers": "tests/containers/conftest.py",
    "./switchhook test observability": "tests/observability/test_prometheus.py",
    "./switchhook chaos": "tests/e2e/test_chaos.py",
    "./switchhook chaos --fault killed": "tests/e2e/test_chaos.py",
    "./switchhook chaos --fault restarted": "tests/e2e/test_chaos.py",
    "./switchhook test --containers": "tests/support/contained.py",
    "./switchhook simulate --seed 7": "tests/simulation/test_same_again.py",
    "./switchhook schemas": "tests/contract/test_schemas.py",
    "./switchhook lock": "tests/unit/devstack",
    "./switchhook export bots": "tests/component/registry/test_bot_files.py",
    "./switchhook apply -f bots": "tests/component/registry/test_bot_files.py",
    "./switchhook apply -f bots --dry-run": "tests/component/registry/test_bot_files.py",
    "switchhook-ops checkpoints accept-restore dispatcher": "tests/e2e/test_operating.py",
    "switchhook-ops checkpoints accept-restore dispatcher skip": "tests/e2e/test_operating.py",
    "switchhook-ops erasures again": "tests/e2e/test_restoring.py",
    "switchhook-ops topics accept-loss dispatcher": "tests/e2e/test_operating.py",
    "switchhook-ops topics accept-loss dispatcher switchhook.actions.v1": "tests/e2e/test_operating.py",
    "switchhook-ops topics accept-loss dispatcher switchhook.actions.v1 0": "tests/e2e/test_operating.py",
}
"""Commands that are too large to run here, and what runs what they run."""
BENCHES = (
    "ingress",
    "engine",
    "dispatch",
    "e2e",
    "latency",
    "gateway",
    "idle",
    "growth",
    "memory",
    "broadcast",
    "neighbours",
    "nodes",
    "ordered",
    "revoke",
    "tenant",
)


def shown_in(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_those_of_the_code(name: str) -> None:
    assert (FOLDER / name).read_text() == PAGES[name], "run ./switchhook schemas and commit what it writes"


@pytest.mark.parametrize("page", DOCS, ids=shown_in)
def test_links_and_named_files_are_there(page: Path) -> None:
    text = page.read_text()
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    missing += [name for name in NAMED_FILE.findall(text) if not (ROOT / name.rstrip("/")).exists()]
    assert missing == []


def test_the_glossary_has_each_word_once_in_order() -> None:
    words = re.findall(r"(?m)^\| ([^|]+) \|", (ROOT / "docs/glossary.md").read_text())[2:]
    assert words == sorted(set(words), key=str.casefold)


@pytest.mark.parametrize("page", DOCS, ids=shown_in)
def test_every_command_is_run_by_a_test(page: Path) -> None:
    if "switchhook-ops dlq list --service" in page.read_text():
        return  # tests/e2e/test_operating.py runs its commands, each with an id that there is.
    if page.name == "deploy.md":
        return  # tests/containers runs them, word for word.
    if page.name == "test-a-flow.md":
        return  # tests/unit/flowtools/test_page.py runs them, word for word.
    if page.name == "move-from-typebot.md":
        return  # tests/unit/flowtools/importing/test_page.py runs them, word for word.
    if page.parent.name == "examples":
        return  # tests/e2e/test_order_bot.py runs them.
    blocks = "\n".join(code for kind, code in BLOCK.findall(page.read_text()) if kind == "sh")
    lines = blocks.splitlines()
    if page.name == "tutorial.md":  # All but the first command is run by tests/e2e/test_tutorial.py, word for word.
        lines = [line for line in lines if line.startswith("./switchhook")]
    commands = [line.split("#")[0].strip() for line in lines]
    for command in filter(None, commands):
        if command.startswith("./switchhook bench "):
            assert command.split()[2] in BENCHES
        else:
            assert (ROOT / RUN_BY[command]).exists(), command


@pytest.mark.parametrize("name", [*BENCHES, "chaos"])
def test_benches_and_chaos_can_be_started(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.delitem(sys.modules, f"bench.{name}", raising=False)
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"bench.{name}", run_name="__main__")
    assert ended.value.code == 0


@pytest.mark.parametrize("page", DOCS, ids=shown_in)
def test_python_and_yaml_in_the_docs_can_be_read(page: Path) -> None:
    for kind, code in BLOCK.findall(page.read_text()):
        if kind == "python":
            compile(code, str(page), "exec")
        elif kind == "yaml":
            assert parse(code)


@pytest.mark.parametrize("flow", sorted((ROOT / "examples" / "flows").glob("*.yaml")), ids=lambda path: path.stem)
def test_example_flows_can_be_loaded(flow: Path) -> None:
    assert load(parse(flow.read_text())).slug


def test_each_scope_of_a_token_is_told() -> None:
    told = re.findall(r"(?m)^\| `([a-z:]+)` \|", (ROOT / "docs/reference/tokens.md").read_text())
    assert sorted(told) == sorted(get_args(Scope))
