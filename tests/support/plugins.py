"""Runs a script where a package of somebody else is installed: its folder, with its dist-info, stands on the path.

Discovery happens when flowlang is imported, so it takes a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson

ROOT = Path(__file__).parents[2]


def run_with(*packages: Path, script: Path) -> Any:
    """The JSON that the script prints. Raises AssertionError with what it wrote to stderr when it fails."""
    done = start_with(*packages, arguments=(str(script),))
    assert done.returncode == 0, done.stderr
    return orjson.loads(done.stdout)


def start_with(*packages: Path, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Python with these packages installed, run to its end."""
    path = os.pathsep.join(map(str, (*packages, ROOT / "tests")))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
