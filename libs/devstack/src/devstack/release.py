"""`switchhook release VERSION`: what a release changes in this checkout, as one commit with a tag.

A version stands in few places (`PLACES`). The released schemas are what later records are compared with, and `RECORD` says
which commit's code, and which revisions of the tables, they belong to: nothing that runs, and no test, needs the tag.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path

from devstack.errors import StackError
from operations.services import OWNERS

CHANGELOG = Path("CHANGELOG.md")
SCHEMAS = Path("contracts/schemas")
RELEASED = SCHEMAS / "released"
RECORD = RELEASED / "release.json"
UNRELEASED = "## Unreleased"
DUTIES = "### What an operator has to do"
VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
PROJECT = r'(?m)^version = "(.*)"$'
PLACES = {
    "pyproject.toml": PROJECT,
    "contracts/pyproject.toml": PROJECT,
    "libs/*/pyproject.toml": PROJECT,
    "services/*/pyproject.toml": PROJECT,
    "sdk/*/pyproject.toml": PROJECT,
    "deploy/helm/switchhook/Chart.yaml": r'(?m)^(?:version: |appVersion: ")([0-9.]+)"?$',
    "deploy/compose/.env.example": r"(?m)^VERSION=(.*)$",
    "docs/how-to/deploy-helm.md": r"\$image:([0-9.]+)",
}
"""Files that hold the version -> a pattern whose group it is."""
NEXT_PLACES = {"docs/how-to/deploy.md": r"(?:--version |VERSION=)(\d[0-9.]*)"}
"""Likewise, of the version that an example upgrades to: the one after."""
Changes = dict[Path, str]
"""File below the root -> its new text."""


def release(
    root: Path,
    version: str,
    branch: str,
    today: date,
    *,
    dry_run: bool,
    check: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Commit and tag a release. StackError, and nothing is changed, when something speaks against it or `check` is false."""
    if problems := refusals(root, version, branch):
        raise StackError(f"{version} is not released: " + " ".join(problems))
    made = changes(root, version, today)
    for file in sorted(made):
        tell(f"{'would write' if dry_run else 'writes'} {file}")
    if dry_run:
        tell(f"would commit {subject(version)!r} and tag v{version}")
        return
    try:
        commit(root, made, version, check)
    except StackError:
        git(root, "reset", "--quiet", "--hard")
        git(root, "clean", "--quiet", "--force", "--", str(RELEASED))
        raise
    git(root, "tag", "--annotate", f"v{version}", "--message", f"Switchhook {version}")
    tell(f"v{version} is made; `git push origin {branch} v{version}` publishes it")


def commit(root: Path, made: Changes, version: str, check: Callable[[], bool]) -> None:
    """Write it, have it checked, commit it. StackError where one of these fails."""
    (root / RELEASED).mkdir(exist_ok=True)
    for file, text in made.items():
        (root / file).write_text(text)
    if not check():
        raise StackError(f"{version} is not released: its checks failed; everything is as it was.")
    git(root, "add", "--", *map(str, made))
    git(root, "commit", "--quiet", "--message", subject(version))


def subject(version: str) -> str:
    """Of the commit."""
    return f"chore(release): {version}"


def refusals(root: Path, version: str, branch: str) -> list[str]:
    """What speaks against releasing what is checked out, a sentence each."""
    found = []
    if not VERSION.fullmatch(version):
        return [f"{version!r} is no version: give major.minor.patch."]
    if git(root, "status", "--porcelain"):
        found.append("There are changes that are not committed.")
    if (here := git(root, "branch", "--show-current")) != branch:
        found.append(f"The branch is {here or 'none'}, and not {branch}.")
    last = max(
        (parts(tag[1:]) for tag in git(root, "tag", "--list", "v*").split() if VERSION.fullmatch(tag[1:])), default=()
    )
    if parts(version) <= last:
        found.append(f"It is not newer than the last tag, v{'.'.join(map(str, last))}.")
    news = unreleased((root / CHANGELOG).read_text())
    if not re.search(r"(?m)^- ", news):
        found.append(f"{CHANGELOG} has nothing under {UNRELEASED!r}.")
    elif not re.search(rf"(?m)^{DUTIES}\n+[^#\s]", news):
        found.append(
            f"{CHANGELOG} does not say under {DUTIES!r} what an upgrade asks for, or that it asks for nothing."
        )
    return found


def parts(version: str) -> tuple[int, ...]:
    """As numbers, to compare."""
    return tuple(map(int, version.split(".")))


def unreleased(text: str) -> str:
    """What the changelog has under its first heading; nothing when that is not UNRELEASED."""
    found = re.search(rf"(?ms)^{UNRELEASED}\n(.*?)(?=^## |\Z)", text)
    return found.group(1) if found else ""


def changes(root: Path, version: str, today: date) -> Changes:
    """All that a release writes."""
    changelog = (root / CHANGELOG).read_text()
    made = {CHANGELOG: changelog.replace(f"{UNRELEASED}\n", f"{UNRELEASED}\n\n## {version} ({today})\n", 1)}
    made |= with_version(root, PLACES, version)
    major, minor, patch = parts(version)
    made |= with_version(root, NEXT_PLACES, f"{major}.{minor}.{patch + 1}")
    for file in sorted((root / SCHEMAS).glob("*.schema.json")):
        made[RELEASED / file.name] = file.read_text()
    made[RECORD] = json.dumps(record(root, version), indent=2) + "\n"
    return made


def with_version(root: Path, places: dict[str, str], version: str) -> Changes:
    """The files of these places, with this version in each."""

    def put(found: re.Match[str]) -> str:
        return found.group(0).replace(found.group(1), version)

    return {file: re.sub(pattern, put, (root / file).read_text()) for file, pattern in files_of(root, places)}


def versions(root: Path) -> dict[str, list[str]]:
    """File -> the versions that its places hold."""
    return {str(file): re.findall(pattern, (root / file).read_text()) for file, pattern in files_of(root, PLACES)}


def files_of(root: Path, places: dict[str, str]) -> list[tuple[Path, str]]:
    """File below the root, and its pattern."""
    return [(file.relative_to(root), pattern) for glob, pattern in places.items() for file in root.glob(glob)]


def record(root: Path, version: str) -> dict[str, object]:
    """What is known of a release later, without its tag: the commit that it was made of differs in nothing that runs."""
    return {"version": version, "commit": git(root, "rev-parse", "HEAD"), "revisions": revisions(root)}


def revisions(root: Path) -> dict[str, str]:
    """Service -> the newest revision of its tables."""
    folders = {service: root / "services" / service / "src" / schema for service, schema in OWNERS.items()}
    return {
        service: max(file.stem.split("_")[0] for file in (folder / "migrations" / "versions").glob("[0-9]*.py"))
        for service, folder in folders.items()
    }


def git(root: Path, *words: str) -> str:
    """What git said. StackError when it failed."""
    made = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    if made.returncode:
        raise StackError(f"git {words[0]} failed: {made.stderr.strip()[-500:]}")
    return made.stdout.strip()
