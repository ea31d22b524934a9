"""The code of the release before, out of this repository's history, with an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from devstack.paths import ROOT
from devstack.release import RECORD

CHOSEN = "SWITCHHOOK_UPGRADE_FROM"
"""Environment variable: the commit to upgrade from, in place of the last release."""


class NoHistory(Exception):
    """The commit of the release is not in this checkout; the text says how it comes there."""


@dataclass(frozen=True, slots=True)
class Code:
    """A checkout, and the interpreter of its environment."""

    root: Path
    python: Path

    def revision(self, service: str, schema: str) -> str:
        """The newest revision of a service's tables."""
        versions = self.root / "services" / service / "src" / schema / "migrations" / "versions"
        return max(file.stem.split("_")[0] for file in versions.glob("[0-9]*.py"))

    def run(self, *arguments: str, **env: str) -> str:
        """What `python -m …` wrote. RuntimeError when it failed."""
        made = subprocess.run(
            [self.python, "-m", *arguments], cwd=self.root, env={**os.environ, **env}, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(
                f"{' '.join(arguments)} of {self.root.name} ended with {made.returncode}:\n{made.stdout}"
            )
        return made.stdout


HERE = Code(ROOT, Path(sys.executable))


def last_release() -> str:
    """Its commit: the tag's where there is one, else the one that was recorded. NoHistory when this checkout lacks it."""
    record = json.loads((ROOT / RECORD).read_text())
    chosen = os.environ.get(CHOSEN)
    names = [chosen] if chosen else [f"v{record['version']}", record["commit"]]
    for name in names:
        if commit := git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"):
            return commit
    raise NoHistory(
        f"NOT RUN, nothing was upgraded: this checkout has no {' and no '.join(names)}. `git fetch --unshallow --tags` brings it."
    )


def installed(commit: str, folder: Path) -> Code:
    """That commit's files below `folder`, installed as its own lock says."""
    root = folder / f"switchhook-{commit[:8]}"
    root.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(["tar", "-x", "-C", root], input=archive, check=True)
    subprocess.run([root / "switchhook", "--help"], check=True, stdout=subprocess.DEVNULL)
    return Code(root, root / ".venv" / "bin" / "python")


def git(*words: str) -> str:
    """What git said, nothing when it failed."""
    made = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return made.stdout.strip() if made.returncode == 0 else ""
