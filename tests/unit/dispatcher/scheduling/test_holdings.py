"""Whether a lane is ours to send, as far as this process can know."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from dispatcher.model.delivery import Delivery
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.port import Lease, Place
from servicekit import boot_clock
from support.deliveries_in_memory import DeliveriesInMemory
from support.leased import delivery

SOURCE = "events/0"


class Wire:
    """What is being sent, and what is forgotten."""

    def __init__(self, *sent: Delivery) -> None:
        self.on_the_wire: dict[UUID, Delivery] = {each.key: each for each in sent}
        self.forgotten: Callable[[Delivery], bool] = lambda one: False

    def drop(self, mine: Callable[[Delivery], bool]) -> None:
        self.forgotten = mine


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Goes on while the host is suspended; `time.monotonic` does not."""
    now = [1000.0]
    monkeypatch.setattr(time, "clock_gettime", lambda which: now[0] if which == boot_clock._CLOCK else 0.0)
    return now


@pytest.fixture
def store() -> DeliveriesInMemory:
    return DeliveriesInMemory()


async def holding(clock: list[float], store: DeliveriesInMemory) -> Holdings:
    made = Holdings(Pulse(3.0), 20, list)
    clock[0] += 0.2
    await made.take({SOURCE}, Wire(), store)
    clock[0] += 0.2
    return made


def leased(clock: list[float], source: str = SOURCE) -> Any:
    return delivery(lane="l", source=source, lease_ends=clock[0] + 20)


async def lane_of_two(store: DeliveriesInMemory) -> tuple[Delivery, Delivery]:
    place = Place("endpoint:e1", SOURCE)
    queue = (await store.queue_ids([place]))[place]
    today = await store.today()
    head, following = [delivery(lane="l", source=SOURCE, seq=seq, day=today, queue_id=queue) for seq in (1, 2)]
    await store.take_over([head, following], Lease(60))
    return head, following


async def test_a_lane_of_an_assigned_partition_is_ours(clock: list[float], store: DeliveriesInMemory) -> None:
    holdings = await holding(clock, store)
    assert holdings.still_ours(leased(clock))
    assert not holdings.still_ours(leased(clock, "events/1"))
    assert (holdings.holds(SOURCE), holdings.holds("events/1")) == (True, False)


async def test_a_partition_that_was_left_is_not_ours_nor_are_leases_from_before_it_came_back(
    clock: list[float], store: DeliveriesInMemory
) -> None:
    holdings = await holding(clock, store)
    before = leased(clock)
    holdings.leave({SOURCE}, Wire())
    assert not holdings.still_ours(before)
    clock[0] += 0.2
    await holdings.take({SOURCE}, Wire(), store)
    assert not holdings.still_ours(before)
    clock[0] += 0.2
    assert holdings.still_ours(leased(clock))


async def test_after_the_process_or_its_host_stood_still_nothing_leased_before_is_relied_upon(
    clock: list[float], store: DeliveriesInMemory
) -> None:
    holdings = await holding(clock, store)
    before = leased(clock)
    clock[0] += 5
    assert not holdings.still_ours(before)
    clock[0] += 0.1
    assert holdings.still_ours(leased(clock))


async def test_what_a_predecessor_was_sending_is_due_at_once(store: DeliveriesInMemory) -> None:
    head, following = await lane_of_two(store)
    assert await Holdings(Pulse(3.0), 20, list).take({SOURCE}, Wire(), store) == set()
    assert (await store.state(head), await store.state(following)) == ("retrying", "blocked")


async def test_what_we_are_sending_goes_on_and_its_lane_is_looked_after(store: DeliveriesInMemory) -> None:
    head, _ = await lane_of_two(store)
    assert await Holdings(Pulse(3.0), 20, list).take({SOURCE}, Wire(head), store) == {"l"}
    assert await store.state(head) == "in_flight"


async def test_of_a_partition_that_is_left_the_lanes_are_forgotten_and_nothing_else(
    clock: list[float], store: DeliveriesInMemory
) -> None:
    holdings, wire = await holding(clock, store), Wire()
    holdings.leave({SOURCE}, wire)
    given = [delivery(source=SOURCE, lane="l"), delivery(source=SOURCE), delivery(source="events/1", lane="l")]
    assert [wire.forgotten(one) for one in given] == [True, False, False]
