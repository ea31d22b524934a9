"""A stretch of a lane: sent one after the other, before what stands before is saved, and only while all goes well."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.scheduling.destination import Destination
from dispatcher.scheduling.destinations import Destinations
from support.leased import attempted, delivery
from support.waiting import eventually

LANE = "e1/c1"


class World:
    """Attempts that end when the test says so."""

    def __init__(self, limits: Limits = Limits(2)) -> None:  # noqa: B008 (frozen)
        self.begun, self.results = list[Delivery](), list[Result]()
        self._open: dict[Any, asyncio.Future[Result]] = {}
        self.destinations = Destinations(self.attempt, self.results.append, lambda name: limits, most=100)

    async def attempt(self, one: Delivery) -> Result:
        self.begun.append(one)
        self._open[one.key] = asyncio.get_running_loop().create_future()
        return await self._open[one.key]

    async def ends(self, one: Delivery, outcome: Any = "succeeded", **more: Any) -> Result:
        """The attempt, which has begun or does in a moment, and what was made of it."""
        await eventually(lambda: one in self.begun)
        count = len(self.results)
        self._open.pop(one.key).set_result(attempted(one, outcome, **more))
        await eventually(lambda: len(self.results) > count)
        return next(each for each in self.results if each.delivery is one)

    def in_hand(self) -> tuple[int, int, set[str]]:
        return (
            self.destinations.destination("endpoint:e1").in_hand,
            self.destinations._bytes,
            self.destinations.in_a_stretch,
        )


def stretch(length: int, lane: str = LANE) -> list[Delivery]:
    head, *following = [delivery(lane=lane, seq=seq) for seq in range(length)]
    head.following = tuple(following)
    return [head, *following]


async def test_each_of_a_stretch_is_sent_once_the_one_before_it_has_succeeded_whether_that_is_saved_or_not() -> None:
    world, (first, second, third) = World(), stretch(3)
    world.destinations.offer([first])
    await eventually(lambda: world.begun == [first])
    assert world.in_hand() == (3, 6, set())
    assert (await world.ends(first)).goes_on
    await eventually(lambda: world.begun == [first, second])
    assert world.in_hand() == (2, 4, {LANE})
    assert (await world.ends(second)).goes_on
    assert not (await world.ends(third)).goes_on
    assert world.in_hand() == (0, 0, set())


@pytest.mark.parametrize("outcome", ["retry", "exhausted", "cancelled", "discarded", "deferred"])
async def test_what_follows_one_that_did_not_succeed_is_given_back_as_it_is(outcome: str) -> None:
    world, (first, second, *_) = World(), stretch(4)
    world.destinations.offer([first])
    await world.ends(first)
    assert not (await world.ends(second, outcome)).goes_on
    assert (world.begun, len(world.results), world.in_hand()) == ([first, second], 2, (0, 0, set()))


async def test_a_pause_between_two_of_a_stretch_gives_the_next_back_and_the_rest_is_as_it_was() -> None:
    world, (first, second, *_) = World(), stretch(4)
    world.destinations.offer([first])
    await eventually(lambda: world.begun == [first])
    world.destinations.pause("endpoint:e1", 60)
    await world.ends(first)
    await eventually(lambda: len(world.results) == 2)
    assert [(each.delivery, each.outcome, each.goes_on) for each in world.results] == [
        (first, "succeeded", True), (second, "deferred", False),
    ]  # fmt: skip
    assert world.in_hand() == (0, 0, set())


async def test_a_circuit_that_others_open_between_two_of_a_stretch_holds_the_next_one() -> None:
    world, (first, *_) = World(Limits(8)), stretch(3)
    failing = [delivery(lane=f"e1/{number}", seq=1) for number in range(5)]
    world.destinations.offer([first, *failing])
    for one in failing:
        await world.ends(one, "retry", destination_failed=True)
    await world.ends(first, destination_failed=True)
    await eventually(lambda: len(world.results) == 7)
    assert (world.results[-1].outcome, len(world.begun), world.in_hand()) == ("deferred", 6, (0, 0, set()))


async def test_of_a_lane_that_is_anothers_now_nothing_more_is_sent() -> None:
    world, (first, *_) = World(Limits(1)), stretch(3)
    other = stretch(3, "e1/c2")
    world.destinations.offer([first, other[0]])
    await eventually(lambda: world.begun == [first])
    world.destinations.drop(lambda one: True)
    assert world.in_hand() == (1, 2, set())
    assert not (await world.ends(first)).goes_on
    assert (world.begun, world.in_hand()) == ([first], (0, 0, set()))


async def test_a_process_that_stops_sends_no_more_of_its_stretches_and_begins_none() -> None:
    world, (first, *_) = World(Limits(1)), stretch(3)
    waiting, *_ = stretch(3, "e1/c2")
    world.destinations.offer([first, waiting])
    await eventually(lambda: world.begun == [first])
    world.destinations.end_stretches()
    assert world.in_hand() == (2, 4, set())
    assert not (await world.ends(first)).goes_on
    assert not (await world.ends(waiting)).goes_on
    assert (world.begun, world.destinations.stretches([first])) == ([first, waiting], {LANE: 1})


async def test_each_of_a_stretch_counts_for_the_rate_and_the_bound() -> None:
    world, (first, second, _) = World(Limits(1, rate=1.0)), stretch(3)
    world.destinations.offer([first])
    await world.ends(first)
    assert (world.begun, world.destinations.destination("endpoint:e1").timer is not None) == ([first], True)
    world.destinations.drop(lambda one: one is second)


async def test_stretches_take_the_room_that_there_is_and_one_of_each_lane_at_least() -> None:
    world = World(Limits(1, rate=3.0))  # room for twelve
    ended = [delivery(lane=f"e1/{number}", seq=1) for number in range(4)]
    assert world.destinations.stretches(ended) == {"e1/0": 8, "e1/1": 4, "e1/2": 1, "e1/3": 1}
    assert world.destinations.stretches([delivery(kind="message", lane="c", seq=1)]) == {"c": 1}


def test_a_stretch_is_what_a_destination_takes_in_a_moment_and_one_where_it_fails() -> None:
    def length(**more: Any) -> int:
        return Destination("a", Limits(4), **more).stretch(8)

    assert [length(), length(seconds=1.0), length(seconds=9.0)] == [8, 4, 1]
    failing = Destination("a", Limits(4))
    failing.breaker.failed(0.0)
    assert failing.stretch(8) == 1


async def test_a_stretch_that_was_begun_comes_before_other_lanes_that_wait() -> None:
    """Its lease ends."""
    world, (first, second), (other, _) = World(Limits(1)), stretch(2), stretch(2, "e1/c2")
    world.destinations.offer([first, other])
    await world.ends(first)
    await eventually(lambda: world.begun == [first, second])
    world.destinations.drop(lambda one: True)


async def test_what_was_left_behind_is_asked_for_when_stretches_leave_room_for_it() -> None:
    """Not after each request while they do not: each would be a look at all queues."""
    world, (first, *_) = World(Limits(1)), stretch(3)
    starved: list[int] = []
    world.destinations._starved = lambda: starved.append(len(world.results))
    world.destinations.offer([first])
    world.destinations.left_behind("endpoint:e1")
    for one in (first, *first.following):
        await world.ends(one)
    await eventually(lambda: starved)
    assert starved == [2]
