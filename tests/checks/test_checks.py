"""Lint, format, types and import rules: run like tests, so that they go beside the others and into the one summary."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from devstack.paths import ROOT

CHECKS = ("ruff check .", "ruff format --check .", "mypy", "lint-imports --no-logo")


@pytest.mark.seconds(120)  # mypy on a clean checkout, beside other tests.
@pytest.mark.parametrize("check", CHECKS)
def test_it_finds_nothing(check: str) -> None:
    program, *arguments = check.split()
    command = [str(Path(sys.executable).with_name(program)), *arguments]
    done = subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        pytest.fail(done.stdout, pytrace=False)
