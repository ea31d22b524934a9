"""What a loop's readiness says of failures that are no record's own fault."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from servicekit.loop import brake as brakes
from servicekit.loop.brake import Brake
from servicekit.loop.partitions import Partition
from servicekit.loop.recovery import Recovery
from support.waiting import eventually


def test_while_the_disk_of_postgres_is_full_it_is_said_with_what_to_do() -> None:
    brake = Brake("in", "flow-engine")
    brake.failed(asyncpg.DiskFullError('could not extend file "base/1/2": No space left on device'))
    said = brake.problem() or ""
    assert said.startswith("in: the disk of PostgreSQL is full (could not extend file")
    assert "free some of it" in said
    brake.went_on()
    assert brake.problem() is None


def test_a_server_that_is_away_is_said_elsewhere() -> None:
    brake = Brake("in", "flow-engine")
    brake.failed(ConnectionResetError())
    assert brake.problem() is None


def test_a_lock_that_somebody_keeps_is_told_and_one_of_a_moment_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen: tables were locked for 75 s, nothing was applied, and every service was ready without a word."""
    now, brake = 100.0, Brake("in", "flow-engine")
    monkeypatch.setattr(brakes.time, "monotonic", lambda: now)
    refused = asyncpg.LockNotAvailableError("canceling statement due to lock timeout")
    brake.failed(refused)
    now += brakes.LOCKED_SECONDS - 1
    brake.failed(refused)
    assert brake.problem() is None
    now += 1
    brake.failed(refused)
    assert (brake.problem() or "").startswith("in: PostgreSQL has given no lock for 15 s")
    brake.went_on()
    brake.failed(refused)
    assert brake.problem() is None


class FullDisk:
    """A pool whose server has no room for a new epoch."""

    def acquire(self) -> FullDisk:
        return self

    async def __aenter__(self) -> None:
        raise asyncpg.DiskFullError("No space left on device")

    async def __aexit__(self, *_: object) -> None:
        return


async def test_who_cannot_even_take_its_partition_over_says_it() -> None:
    pool: Any = FullDisk()
    nobody: Any = None
    recovery, partition = Recovery(nobody, nobody, nobody, pool, nobody, ready=lambda _: None), Partition("in", 3)
    recovery.start(partition)
    said = await eventually(lambda: partition.problem)
    await recovery.close()
    assert said.startswith("in/3: the disk of PostgreSQL is full")
