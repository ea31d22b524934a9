"""`switchhook release`, in a repository of its own with the files of this one that it reads and writes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from devstack.errors import StackError
from devstack.paths import ROOT
from devstack.release import (
    CHANGELOG,
    DUTIES,
    NEXT_PLACES,
    PLACES,
    RECORD,
    RELEASED,
    SCHEMAS,
    UNRELEASED,
    files_of,
    release,
    versions,
)

DAY = date(2027, 3, 4)
NEWS = (
    f"# Changelog\n\n{UNRELEASED}\n\n{DUTIES}\n\nNothing.\n\n### Added\n- A thing.\n\n## 0.0.9 (2026-01-01)\n\n- Old.\n"
)


def git(root: Path, *words: str) -> str:
    made = subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True)
    return made.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "somebody@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for file in [file for places in (PLACES, NEXT_PLACES) for file, _ in files_of(ROOT, places)]:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    shutil.copytree(ROOT / SCHEMAS, tmp_path / SCHEMAS)
    for folder in ROOT.glob("services/*/src/*/migrations"):
        shutil.copytree(folder, tmp_path / folder.relative_to(ROOT))
    (tmp_path / CHANGELOG).write_text(NEWS)
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    return tmp_path


def commit(root: Path) -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "what there is")


def cut(root: Path, version: str = "7.8.9", *, dry_run: bool = False, good: bool = True) -> str:
    """What it said."""
    said: list[str] = []
    release(root, version, "main", DAY, dry_run=dry_run, check=lambda: good, tell=said.append)
    return "\n".join(said)


def test_a_release_is_one_commit_with_a_tag(root: Path) -> None:
    before = git(root, "rev-parse", "HEAD")
    changed = (root / SCHEMAS / "events.v1.schema.json").read_text()
    (root / RELEASED / "events.v1.schema.json").write_text("{}")
    commit(root)
    made_of = git(root, "rev-parse", "HEAD")
    cut(root)
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "log", "--format=%s", f"{before}..") == "chore(release): 7.8.9\nwhat there is"
    assert git(root, "cat-file", "-t", "v7.8.9") == "tag"
    assert git(root, "rev-parse", "v7.8.9^{commit}") == git(root, "rev-parse", "HEAD")
    assert {each for found in versions(root).values() for each in found} == {"7.8.9"}
    assert "VERSION=7.8.10/" in (root / "docs/how-to/deploy.md").read_text()
    assert (root / RELEASED / "events.v1.schema.json").read_text() == changed
    record = json.loads((root / RECORD).read_text())
    assert (record["version"], record["commit"]) == ("7.8.9", made_of)
    assert record["revisions"].keys() == {"registry", "flow-engine", "dispatcher"}


def test_what_was_unreleased_stands_under_the_version_with_its_day(root: Path) -> None:
    cut(root)
    text = (root / CHANGELOG).read_text()
    assert re.findall(r"(?m)^## .*$", text) == [UNRELEASED, "## 7.8.9 (2027-03-04)", "## 0.0.9 (2026-01-01)"]
    assert text.replace("\n## 7.8.9 (2027-03-04)\n", "", 1) == NEWS


def test_a_dry_run_says_all_and_does_nothing(root: Path) -> None:
    before = git(root, "rev-parse", "HEAD")
    said = cut(root, dry_run=True)
    assert "would write CHANGELOG.md" in said
    assert "would commit 'chore(release): 7.8.9' and tag v7.8.9" in said
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "tag")) == (before, "", "")


def test_checks_that_fail_leave_everything_as_it_was(root: Path) -> None:
    git(root, "rm", "--quiet", "-r", str(RELEASED))
    commit(root)
    before = git(root, "rev-parse", "HEAD")
    with pytest.raises(StackError, match="everything is as it was"):
        cut(root, good=False)
    assert (git(root, "rev-parse", "HEAD"), git(root, "status", "--porcelain"), git(root, "tag")) == (before, "", "")


def without(words: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / CHANGELOG).write_text(NEWS.replace(words, ""))
        commit(root)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda root: (root / "new").touch(), "changes that are not committed"),
        (lambda root: git(root, "switch", "--quiet", "--create", "other"), "The branch is other, and not main"),
        (lambda root: git(root, "switch", "--quiet", "--detach"), "The branch is none, and not main"),
        (lambda root: git(root, "tag", "v7.8.9"), "not newer than the last tag, v7.8.9"),
        (lambda root: git(root, "tag", "v7.10.0"), "not newer than the last tag, v7.10.0"),
        (without("- A thing.\n"), "has nothing under '## Unreleased'"),
        (without("Nothing.\n"), "does not say under '### What an operator has to do'"),
    ],
    ids=["dirty", "branch", "detached", "repeated", "older", "no news", "no duties"],
)
def test_what_speaks_against_it_is_said(root: Path, change: Callable[[Path], None], reason: str) -> None:
    change(root)
    with pytest.raises(StackError, match=reason):
        cut(root)


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "1.2.3-rc1", "01.2.3", ""])
def test_a_version_has_three_numbers(root: Path, version: str) -> None:
    with pytest.raises(StackError, match=r"give major\.minor\.patch"):
        cut(root, version)
