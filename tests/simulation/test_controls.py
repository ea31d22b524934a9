"""With a protection left out, one of the suite's seeds finds something: a checker that finds nothing proves nothing."""

from __future__ import annotations

import pytest

from simulation.run import simulate
from simulation.test_runs import SEEDS


@pytest.mark.seconds(60)
@pytest.mark.parametrize(("protection", "known"), [("outbox", 1), ("fence", 40), ("dedupe", 0), ("lease", 23)])
def test_a_missing_protection_is_found(protection: str, known: int) -> None:
    """By a seed that is known to find it, or else, after a change of what happens under it, by another one."""
    assert any(not simulate(seed, broken=protection).verdict.sound for seed in (known, *range(SEEDS)))
