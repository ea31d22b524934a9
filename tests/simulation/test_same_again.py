"""A seed gives the same run again: in one process, whatever ran there before, and in another one whose hashes are others."""

from __future__ import annotations

import os
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import pytest

from simulation.run import simulate

ROOT = Path(__file__).parents[2]
SEEDS = (1, 4, 14)
OTHERS, AFTER_OTHERS = range(50_000, 50_015), 50_016
"""What ran before took from what a project's flows could have made ready at once: time begins anew with each run."""
OTHER_HASHES = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
"""Of this process they are random, unless somebody has chosen them."""
DIGESTS = "from simulation.run import simulate; print({{seed: simulate(seed).digest for seed in {seeds}}})"


@pytest.fixture(scope="module")
def elsewhere() -> dict[int, int]:
    """Seed -> digest, in a process of their own whose hashes are others; the first of them is alone there."""
    path = os.pathsep.join(["tests", ".", *sys.path])
    env = {**os.environ, "PYTHONHASHSEED": OTHER_HASHES, "PYTHONPATH": path}
    command = [sys.executable, "-c", DIGESTS.format(seeds=(AFTER_OTHERS, *SEEDS))]
    said = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout
    digests: dict[int, int] = literal_eval(said)
    return digests


@pytest.mark.seconds(60)
def test_a_seed_gives_the_same_run_again(elsewhere: dict[int, int]) -> None:
    """Here, where other runs were before it or not, and in another process with other hashes."""
    first, again = [], []
    reports = [simulate(seed, write=trace.append) for trace in (first, again) for seed in SEEDS]
    assert first == again
    digests = [report.digest for report in reports[: len(SEEDS)]]
    assert len(set(digests)) == len(SEEDS)
    assert [elsewhere[seed] for seed in SEEDS] == digests


@pytest.mark.seconds(60)
def test_a_seed_gives_the_same_run_alone_and_after_fifteen_others(elsewhere: dict[int, int]) -> None:
    """Its digest, and its verdict."""
    for seed in OTHERS:
        simulate(seed)
    report = simulate(AFTER_OTHERS)
    assert elsewhere[AFTER_OTHERS] == report.digest
    assert report.wrong == []
