"""With a protection left out, one of the suite's seeds finds something: a checker that finds nothing proves nothing."""

from __future__ import annotations

import pytest

from simulation.run import simulate
from simulation.test_runs import SEEDS


@pytest.mark.seconds(60)
@pytest.mark.parametrize("protection", ["outbox", "fence", "dedupe", "lease"])
def test_a_missing_protection_is_found(protection: str) -> None:
    assert any(not simulate(seed, broken=protection).verdict.sound for seed in range(SEEDS))
