"""A short run of `switchhook chaos` finds nothing; with one protection switched off it must find something."""

from __future__ import annotations

import pytest
from bench.chaos.__main__ import run

SEED = 11
SECONDS, CONTROL_SECONDS = 20, 15


@pytest.mark.timeout(240)
async def test_nothing_is_lost_reordered_or_applied_twice() -> None:
    verdict, log, _ = await run(SECONDS, SEED, None)
    assert verdict.events > 1000
    assert log.crashes >= 4
    assert verdict.sound, verdict.figures()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("protection", ["outbox", "fence", "dedupe", "lease"])
async def test_the_checker_notices_when_a_protection_is_missing(protection: str) -> None:
    verdict, _, _ = await run(CONTROL_SECONDS, SEED, protection)
    assert not verdict.sound, verdict.figures()
