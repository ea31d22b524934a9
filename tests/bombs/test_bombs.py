"""Each bomb, at each door that its engine has: it is refused, or its turn or delivery gets an error, within a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bombs.corpus import Bomb, bombs
from bombs.doors import DOORS

MOST_SECONDS = 1.0
WHOLE_RUN_SECONDS = 120
TESTS = Path(__file__).parents[1]
CASES = [f"{bomb.name}/{door}" for bomb in bombs() for door in DOORS[bomb.engine]]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """How each case ended; one that ended its process is `killed`, and the rest go on in another."""
    found: dict[str, dict[str, Any]] = {}
    while waiting := [case for case in CASES if case not in found]:
        done = subprocess.run(
            [sys.executable, "-m", "bombs.worker", *waiting],
            cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS)}, check=False, capture_output=True, text=True,
            timeout=WHOLE_RUN_SECONDS,
        )  # fmt: skip
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        found |= {line["ended"]: line for line in lines if "ended" in line}
        if done.returncode:
            assert lines, done.stderr
            found[lines[-1]["begun"]] = {"seconds": float("inf"), "as": f"killed ({done.returncode})"}
    return found


@pytest.mark.parametrize("case", CASES)
def test_it_ends_soon_as_the_failure_of_its_own_project(case: str, outcomes: dict[str, dict[str, Any]]) -> None:
    assert outcomes[case]["as"] in ("refused", "failed", "done")
    assert outcomes[case]["seconds"] < MOST_SECONDS


@pytest.mark.parametrize("bomb", bombs(), ids=lambda bomb: bomb.name)
def test_a_bomb_is_ended_unless_it_is_harmless_by_now(bomb: Bomb, outcomes: dict[str, dict[str, Any]]) -> None:
    ended = {outcomes[f"{bomb.name}/{door}"]["as"] for door in DOORS[bomb.engine]}
    assert (ended == {"done"}) == bomb.harmless


def test_there_are_enough() -> None:
    assert len(bombs()) >= 25
