"""`switchhook test`: the checks, then pytest, whose summary is the last thing printed."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from devstack.paths import ROOT

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)
FAST = ("tests/unit", "tests/contract")
NOT_SLOW = ("-m", "not slow")
WHOLE: tuple[list[str], ...] = ([], ["fast"])
"""What is run as a gate, checks included; other words pick tests to look at."""


def pytest_arguments(words: Sequence[str]) -> list[str]:
    """What pytest gets for the words after `switchhook test`; an `-m` among them comes last and wins."""
    kind, *rest = words or [""]
    if kind == "fast":
        return [*FAST, *NOT_SLOW, *rest]
    if kind == "slow":
        return ["-m", "slow", *rest]
    return [*NOT_SLOW, *words]


def run_tests(words: Sequence[str]) -> int:
    """Run the tests that the words name, after the checks where these belong to it. The exit code: 0 only if all is well."""
    failed = [] if list(words) not in WHOLE else [" ".join(check) for check in CHECKS if not passes(check)]
    if failed:
        print(f"checks failed: {', '.join(failed)}", flush=True)
    tests = subprocess.run([sys.executable, "-m", "pytest", *pytest_arguments(words)], cwd=ROOT, check=False)
    return tests.returncode or int(bool(failed))


def passes(check: Sequence[str]) -> bool:
    """Run one check beside this Python and print how it went."""
    program, *arguments = check
    began = time.monotonic()
    done = subprocess.run([str(Path(sys.executable).with_name(program)), *arguments], cwd=ROOT, check=False)
    verdict = "passed" if done.returncode == 0 else "FAILED"
    print(f"{verdict}: {' '.join(check)} ({time.monotonic() - began:.1f} s)", flush=True)
    return done.returncode == 0
