"""Whether an ordered lane is ours to send, as far as this process can know."""

from __future__ import annotations

import time
from typing import Any

import pytest

from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from support.leased import delivery


class Destinations:
    on_the_wire: dict[Any, Any]

    def __init__(self) -> None:
        self.on_the_wire = {}

    def drop(self, mine: Any) -> None:
        self.dropped = mine


class Nothing:
    async def execute(self, *_: Any) -> None:
        return None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


async def holding(clock: list[float]) -> Holdings:
    made = Holdings(Pulse(3.0), lease_seconds=20)
    clock[0] += 0.2
    await made.take({"events/0"}, Destinations(), Nothing())  # type: ignore[arg-type]  # played
    clock[0] += 0.2
    return made


def leased(clock: list[float], source: str = "events/0") -> Any:
    return delivery(lane="l", source=source, lease_ends=clock[0] + 20)


async def test_a_lane_of_an_assigned_partition_is_ours(clock: list[float]) -> None:
    holdings = await holding(clock)
    assert holdings.still_ours(leased(clock))
    assert not holdings.still_ours(leased(clock, "events/1"))


async def test_a_partition_that_was_left_is_not_ours_nor_are_leases_from_before_it_came_back(
    clock: list[float],
) -> None:
    holdings = await holding(clock)
    before = leased(clock)
    holdings.leave({"events/0"}, Destinations())  # type: ignore[arg-type]  # played
    assert not holdings.still_ours(before)
    clock[0] += 0.2
    await holdings.take({"events/0"}, Destinations(), Nothing())  # type: ignore[arg-type]  # played
    assert not holdings.still_ours(before)
    clock[0] += 0.2
    assert holdings.still_ours(leased(clock))


async def test_after_the_process_stood_still_nothing_leased_before_is_relied_upon(clock: list[float]) -> None:
    holdings = await holding(clock)
    before = leased(clock)
    clock[0] += 5
    assert not holdings.still_ours(before)
    clock[0] += 0.1
    assert holdings.still_ours(leased(clock))
