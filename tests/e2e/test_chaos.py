"""A short run of `switchhook chaos` finds nothing; with one protection switched off it must find something."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.chaos import faults, one_at_a_time
from bench.chaos.attack import SERVICES, Log, attack
from bench.chaos.rounds import endure
from bench.chaos.schedule import chosen, schedule
from bench.chaos.small_disks import may_mount, small_disks

from devstack.stack import Stack
from support.ground import Ground

pytestmark = pytest.mark.asyncio(loop_scope="package")
SEED = 11
EVENTS = 1000
SECONDS, LONG_SECONDS = 20, 180
RATE = 50
"""Events a second, of two workers' tests on a few cores."""
PROTECTIONS = ("lease", "outbox", "dedupe", "fence")


@pytest.mark.seconds(180)
async def test_nothing_is_lost_reordered_or_applied_twice(ground: Ground) -> None:
    await survives(ground, SECONDS, SEED)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_nothing_is_lost_reordered_or_applied_twice_in_a_long_run(ground: Ground) -> None:
    """Contacts are imported, told of something, taken over by agents and erased meanwhile, too."""
    await survives(ground, LONG_SECONDS, SEED + 1, with_people=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", chosen(["poison", "anew", "away", "frozen", "restore", "kafka"]))
async def test_it_is_survived_and_said(ground: Ground, name: str) -> None:
    verdict = await endure(ground.stack, schedule()[name], ground.log)
    assert verdict.sound, verdict.figures()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not may_mount(), reason="only root on Linux may mount small disks")
async def test_full_disks_are_survived_and_said(tmp_path: Path) -> None:
    """On a stack of its own: its folder is on them."""
    log = Log()
    with small_disks(tmp_path) as disks:
        async with Stack(tmp_path, services=SERVICES, env=faults.SETTINGS, report=log) as stack:
            for name in chosen(["disk"]):
                verdict = await endure(stack, schedule()[name], log, disks)
                assert verdict.sound, (name, verdict.figures())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", chosen(["killed", "restarted"]))
async def test_one_at_a_time_may_be_away(tmp_path: Path, name: str) -> None:
    """Of three brokers and two replicas of each service."""
    log, wide = Log(), one_at_a_time
    async with Stack(
        tmp_path, services=wide.SERVICES, env=wide.SETTINGS, report=log, sync=False, brokers=wide.BROKERS
    ) as stack:
        verdict = await endure(stack, schedule()[name], log, wide_rate=RATE)
        assert verdict.sound, verdict.figures()


async def survives(ground: Ground, seconds: float, seed: int, *, with_people: bool = False) -> None:
    before = ground.log.crashes
    verdict, _ = await attack(
        ground.stack, seconds, seed, None, ground.log, at_least=EVENTS + 1, with_people=with_people
    )
    assert verdict.events > EVENTS
    assert ground.log.crashes - before >= 4
    assert verdict.sound, verdict.figures()


@pytest.mark.seconds(90)
@pytest.mark.parametrize("protection", PROTECTIONS)
async def test_the_checker_notices_when_a_protection_is_missing(ground: Ground, protection: str) -> None:
    """A process stops in the very moment that the protection is for, with work in hand; then it dies, or goes on when
    another one has done that. Ends at the first violation."""
    verdict, _ = await attack(ground.stack, 0, SEED, protection, ground.log)
    assert not verdict.sound, verdict.figures()


@pytest.mark.slow
@pytest.mark.parametrize("protection", PROTECTIONS)
async def test_the_same_moment_does_no_harm_where_the_protection_is_there(ground: Ground, protection: str) -> None:
    verdict, _ = await attack(ground.stack, 0, SEED, protection, ground.log, missing=False)
    assert verdict.sound, verdict.figures()
