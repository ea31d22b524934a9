"""A batch becomes rows, and what has room is sent at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dispatcher.intake.takeover import Takeover
from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.port import STRETCH_BYTES
from servicekit.loop.batches import Commit
from support.deliveries_in_memory import DeliveriesInMemory
from support.leased import attempted, delivery
from support.waiting import eventually

LANE = "e1/-"


class World:
    """Destinations that take two at once; attempts end when the test is over."""

    def __init__(self, *, first_attempts: bool = True) -> None:
        self.store, self.begun, self.starved = DeliveriesInMemory(), list[Delivery](), list[int]()
        self.looked_after = set[str]()
        self.destinations = Destinations(
            self.attempt, lambda result: None, lambda name: Limits(2), most=100, starved=lambda: self.starved.append(1)
        )
        self.holdings = Holdings(Pulse(60), 60, list)
        self.takeover = Takeover(
            self.store, self.destinations, self.holdings, self.looked_after.update,
            lease_seconds=60, first_attempts=first_attempts,
        )  # fmt: skip
        self.ends = asyncio.Event()

    async def attempt(self, one: Delivery) -> Result:
        self.begun.append(one)
        await self.ends.wait()
        return attempted(one)

    async def take_over(self, *deliveries: Delivery) -> Commit:
        commit = await self.takeover.commit(deliveries, [])
        await commit.save(None)
        assert commit.after is not None
        commit.after()
        return commit

    async def states(self, *deliveries: Delivery) -> list[Any]:
        return [await self.store.state(one) for one in deliveries]


@pytest.fixture
def world() -> World:
    return World()


async def test_what_has_room_is_leased_and_sent_from_memory(world: World) -> None:
    one = delivery(lease=None)
    await world.take_over(one)
    await eventually(lambda: world.begun == [one])
    assert (await world.states(one), one.lease is not None) == (["in_flight"], True)
    assert one.day in world.store.tables.days


async def test_nothing_is_sent_before_the_commit(world: World) -> None:
    commit = await world.takeover.commit([delivery(lease=None)], [])
    await commit.save(None)
    assert world.destinations.on_the_wire == {}


async def test_an_empty_batch_has_no_effect(world: World) -> None:
    assert (await world.takeover.commit([], [])).empty


async def test_what_a_destination_has_no_room_for_is_left_pending(world: World) -> None:
    world.destinations.destination("endpoint:e1").seconds = 5.0  # slow: no more than are in flight
    given = [delivery(lease=None) for _ in range(3)]
    other = delivery(lease=None, destination="endpoint:e2")
    await world.take_over(*given, other)
    assert await world.states(*given, other) == ["in_flight", "in_flight", "pending", "in_flight"]
    await eventually(lambda: len(world.begun) == 3)
    world.ends.set()
    await eventually(lambda: world.starved)


async def test_of_a_lane_the_head_is_sent_and_what_waits_behind_it_is_looked_after(world: World) -> None:
    first, second = [delivery(lease=None, lane=LANE, seq=seq) for seq in (1, 2)]
    await world.take_over(first)
    await world.take_over(second)
    assert await world.states(first, second) == ["in_flight", "blocked"]
    assert world.looked_after == {LANE}
    await eventually(lambda: world.begun == [first])


async def test_of_a_lane_so_many_as_there_is_room_for_are_in_one_stretch_which_nobody_looks_after(world: World) -> None:
    others = [delivery(lease=None, lane=LANE, seq=seq) for seq in (2, 3, 4)]
    first = delivery(lease=None, lane=LANE, seq=1)
    world.destinations.destination("endpoint:e1").seconds = 1.5  # so that it takes two in WAITING_SECONDS
    await world.take_over(first, *others)
    assert await world.states(first, *others) == ["in_flight", *["blocked"] * 3]
    assert (first.following, others[0].lease, world.looked_after) == ((others[0],), first.lease, set())


@pytest.mark.parametrize("size", [STRETCH_BYTES, 1], ids=["large", "repeated"])
async def test_a_stretch_ends_before_what_may_not_follow(world: World, size: int) -> None:
    first, second, third = [delivery(lease=None, lane=LANE, seq=seq, payload=bytes(1)) for seq in (1, 2, 3)]
    second.payload = bytes(size)
    given = [first, second, third] if size > 1 else [first, first, second, third]
    await world.take_over(*given)
    assert first.following == ()


async def test_a_kind_without_stretches_has_none(world: World) -> None:
    first, second = [delivery(kind="message", lease=None, lane=LANE, seq=seq) for seq in (1, 2)]
    await world.take_over(first, second)
    assert first.following == ()


async def test_a_repeat_is_neither_sent_again_nor_kept_again(world: World) -> None:
    one = delivery(lease=None)
    await world.take_over(one, one)
    await world.take_over(delivery(lease=None, key=one.key))
    await eventually(lambda: world.begun == [one])
    assert (len(world.store.tables.rows), len(world.begun)) == (1, 1)


async def test_what_is_discarded_at_once_is_kept_and_not_sent(world: World) -> None:
    one = delivery(lease=None, state="discarded")
    await world.take_over(one)
    assert (await world.states(one), world.destinations.on_the_wire) == (["discarded"], {})


async def test_without_first_attempts_everything_is_left_to_claims() -> None:
    world = World(first_attempts=False)
    one = delivery(lease=None)
    await world.take_over(one)
    assert (await world.states(one), len(await world.store.due_queues([]))) == (["pending"], 1)


async def test_lanes_have_their_partitions_own_queues(world: World) -> None:
    ordered, other = delivery(lease=None, lane=LANE, seq=1, source="events/3"), delivery(lease=None)
    await world.take_over(ordered, other)
    assert [each.source for each in world.store.places] == ["events/3", ""]


async def test_a_partition_that_comes_back_has_its_lanes_looked_after_that_we_are_still_sending(world: World) -> None:
    one = delivery(lease=None, lane=LANE, seq=1, source="events/3")
    await world.take_over(one)
    await eventually(lambda: world.begun == [one])
    await world.takeover.take("events", [3], None)
    assert (world.looked_after, world.holdings.holds("events/3")) == ({LANE}, True)
    world.takeover.leave("events", [3])
    assert not world.holdings.holds("events/3")
