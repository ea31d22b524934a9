"""A bad neighbour holds up only itself."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.scheduling.destination import Destination
from dispatcher.scheduling.destinations import MOST_BYTES, Destinations
from support.leased import attempted, delivery
from support.waiting import eventually


class World:
    """Attempts that end when the test says so."""

    def __init__(self, *, most: int = 100, **limits: Limits) -> None:
        self.begun: list[Delivery] = []
        self.results: list[Result] = []
        self.starved = 0
        self._limits = limits
        self._open: dict[Any, asyncio.Future[Result]] = {}
        self.destinations = Destinations(self.attempt, self.results.append, self.limits, most=most, starved=self.starve)

    def limits(self, name: str) -> Limits:
        return self._limits.get(name, Limits(2))

    def starve(self) -> None:
        self.starved += 1

    async def attempt(self, one: Delivery) -> Result:
        self.begun.append(one)
        self._open[one.key] = asyncio.get_running_loop().create_future()
        return await self._open[one.key]

    def end(self, one: Delivery, outcome: Any = "succeeded", **more: Any) -> None:
        self._open.pop(one.key).set_result(attempted(one, outcome, **more))

    async def began(self, count: int) -> list[Delivery]:
        return await eventually(lambda: len(self.begun) >= count and self.begun)

    def in_flight(self) -> Counter[str]:
        return Counter(one.destination for one in self.destinations.on_the_wire.values())


def to(name: str, count: int, **more: Any) -> list[Delivery]:
    return [delivery(destination=name, **more) for _ in range(count)]


async def test_a_destination_gets_no_more_at_once_than_it_takes_and_the_rest_in_order() -> None:
    world = World()
    given = to("a", 5)
    world.destinations.offer(given)
    await world.began(2)
    assert world.in_flight() == {"a": 2}
    for number, one in enumerate(given):
        await world.began(min(5, number + 2))
        world.end(one)
    await eventually(lambda: len(world.results) == 5)
    assert world.begun == given


async def test_a_destination_that_never_answers_does_not_hold_up_another() -> None:
    world = World()
    world.destinations.offer(to("stuck", 10))
    await world.began(2)
    quick = to("quick", 3)
    world.destinations.offer(quick)
    for one in quick:
        await eventually(lambda one=one: one in world.begun)  # type: ignore[misc]  # bound at once
        world.end(one)
    await eventually(lambda: len(world.results) == 3)


async def test_limits_are_shared_among_the_replicas() -> None:
    world = World(a=Limits(10, rate=9.0))
    world.destinations.replicas = 3
    assert world.destinations.destination("a").limits == Limits(4, 3.0)


async def test_five_failures_open_the_circuit_and_what_waits_goes_back_untried() -> None:
    world = World(a=Limits(1))
    world.destinations.offer(to("a", 8))
    for number in range(5):
        one = (await world.began(number + 1))[number]
        world.end(one, "retry", destination_failed=True)
    await eventually(lambda: len(world.results) == 8)
    assert [result.outcome for result in world.results] == ["retry"] * 5 + ["deferred"] * 3
    assert (world.destinations.room("a", "project-1"), world.destinations.closed_for("a") > 4) == (0, True)
    assert [result.circuit for result in world.results] == [None] * 4 + [5.0] + [None] * 3


async def test_the_attempt_that_closes_a_circuit_says_so() -> None:
    world = World(a=Limits(1))
    world.destinations.offer(to("a", 2))
    world.destinations.destination("a").breaker.open_until = 0.0
    for number in range(2):
        world.end((await world.began(number + 1))[number])
    await eventually(lambda: len(world.results) == 2)
    assert [result.circuit for result in world.results] == [0.0, None]


async def test_a_pause_gives_back_what_waits_and_a_change_of_the_entity_ends_it() -> None:
    world = World(a=Limits(1))
    world.destinations.offer(to("a", 2))
    await world.began(1)
    world.destinations.pause("a", 60)
    world.end(world.begun[0])
    await eventually(lambda: len(world.results) == 2)
    assert [result.outcome for result in world.results] == ["succeeded", "deferred"]
    world.destinations.resume("a")
    world.destinations.offer(to("a", 1))
    await world.began(2)


async def test_a_rate_spreads_what_would_go_at_once() -> None:
    world = World(a=Limits(10, rate=20.0))
    world.destinations.destination("a").bucket.take(0)  # type: ignore[union-attr]  # it has a rate
    given = to("a", 24)
    began = asyncio.get_running_loop().time()
    world.destinations.offer(given)
    for number in range(24):
        world.end((await world.began(number + 1))[number])
    assert asyncio.get_running_loop().time() - began > 0.1


async def test_starved_is_called_when_there_is_room_for_what_was_left_behind() -> None:
    world = World(a=Limits(1))
    world.destinations.offer(to("a", 1))
    await world.began(1)
    world.destinations.left_behind("a")
    world.end(world.begun[0])
    await eventually(lambda: world.starved == 1)


async def test_slow_destinations_leave_a_share_of_all_requests_to_the_quick_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(most=8, slow=Limits(10))  # Of which one project has half, of the slow share, too.
    world.destinations.destination("slow").seconds = 5.0
    world.destinations.offer(to("slow", 10))
    await world.began(3)
    assert world.in_flight() == {"slow": 3}
    world.destinations.offer(to("quick", 1))
    await world.began(4)
    assert world.in_flight() == {"slow": 3, "quick": 1}
    for one in world.begun[2:4]:
        world.end(one)
    await world.began(5)  # A stalled one goes on as soon as there is a place for it.


async def test_a_projects_slow_destinations_leave_places_to_the_slow_ones_of_another() -> None:
    world = World(most=16)
    for number in range(20):
        world.destinations.destination(f"slow-{number}").seconds = 5.0
        world.destinations.offer(to(f"slow-{number}", 2, project_id="a"))
    await world.began(6)
    assert len(world.begun) == 6
    world.destinations.destination("other").seconds = 5.0
    assert (world.destinations.room("slow-19", "a"), world.destinations.room("other", "b")) == (0, 2)
    world.destinations.offer(to("other", 2, project_id="b"))
    await world.began(8)
    assert world.in_flight()["other"] == 2


async def test_places_that_are_free_again_go_round_the_projects() -> None:
    world = World(most=4)
    for project, count in (("a", 20), ("b", 2), ("c", 2)):
        for number in range(count):
            world.destinations.offer(to(f"{project}-{number}", 1, project_id=project))
    began = await world.began(3)
    for number in range(6):
        world.end(began[number])
        await world.began(number + 4)
    assert Counter(one.project_id for one in began[:7]) == {"a": 3, "b": 2, "c": 2}


async def test_a_batch_does_not_wait_for_room_that_does_not_come_in_a_moment() -> None:
    world = World(a=Limits(16, rate=10.0), b=Limits(4))
    world.destinations.destination("b").seconds = 0.4
    for name in "ab":
        world.destinations.offer(to(name, world.destinations.destination(name).places))
    await world.began(1)
    waiting = asyncio.create_task(world.destinations.make_room({"a": 15, "b": 15}))
    await asyncio.sleep(0)
    assert waiting.done()


async def test_a_batch_waits_for_a_quick_destination_to_make_room() -> None:
    world = World(a=Limits(1))
    world.destinations.destination("a").seconds = 0.01
    world.destinations.offer(to("a", world.destinations.destination("a").places))
    await world.began(1)
    waiting = asyncio.create_task(world.destinations.make_room({"a": 5}))
    await asyncio.sleep(0)
    assert not waiting.done()
    for number in range(10):
        world.end((await world.began(number + 1))[number])
    async with asyncio.timeout(15):
        await waiting


async def test_a_batch_does_not_wait_for_a_slow_destination() -> None:
    world = World(a=Limits(1))
    world.destinations.destination("a").seconds = 5.0
    world.destinations.offer(to("a", 3))
    async with asyncio.timeout(0.2):
        await world.destinations.make_room({"a": 100})


async def test_what_is_anothers_now_is_forgotten_but_what_is_on_the_wire_goes_on() -> None:
    world = World(a=Limits(1))
    world.destinations.offer(to("a", 3))
    await world.began(1)
    world.destinations.drop(lambda one: True)
    world.end(world.begun[0])
    await eventually(lambda: len(world.results) == 1)
    assert (len(world.begun), len(world.destinations.on_the_wire)) == (1, 0)


def room(change: Callable[[Destination], None]) -> int:
    made = Destination("a", Limits(4))
    change(made)
    return made.room(100.0)


def test_a_destination_has_room_by_how_quick_it_is() -> None:
    assert room(lambda made: None) == 64
    assert room(lambda made: setattr(made, "seconds", 0.4)) == 40
    assert room(lambda made: setattr(made, "seconds", 5.0)) == 4
    assert room(lambda made: setattr(made, "paused_until", 110.0)) == 0
    assert room(lambda made: made.began.update({delivery().key: 90.0})) == 3
    assert room(lambda made: setattr(made.breaker, "open_until", 99.0)) == 1


async def test_idle_destinations_are_forgotten() -> None:
    world = World()
    world.destinations.offer(to("a", 1))
    world.end((await world.began(1))[0])
    await eventually(lambda: world.results)
    world.destinations.forget_idle()
    assert world.destinations._destinations == {}


async def test_deliveries_in_hand_take_so_many_bytes_and_the_rest_is_left_where_it_is() -> None:
    world = World(many=Limits(1000))
    large = bytes(1_400_000)
    taken = list[Delivery]()
    while world.destinations.room(name := f"d{len(taken) % 9}", "project-1"):
        taken += to(name, 1, payload=large)
        world.destinations.offer(taken[-1:])
    assert MOST_BYTES <= len(taken) * len(large) < MOST_BYTES + len(large)
    world.destinations.drop(lambda one: one.destination == "d1")
    assert world.destinations.room("many", "project-2")
    world.destinations.offer(to("many", 1, payload=bytes(MOST_BYTES)))
    assert not world.destinations.room("d8", "project-1")
    for one in [one for one in await world.began(19) if one.destination != "d1"]:
        world.end(one)
    await eventually(lambda: world.destinations.room("d8", "project-1"))


async def test_while_too_many_results_wait_no_attempt_is_begun_and_then_they_are() -> None:
    world, full = World(), [False]
    destinations = Destinations(world.attempt, world.results.append, world.limits, most=100, full=lambda: full[0])
    given = to("a", 3)
    destinations.offer(given[:2])
    await world.began(2)
    full[0] = True
    destinations.offer([given[2], *to("b", 1)])
    world.end(given[0])
    await eventually(lambda: len(world.results) == 1)
    destinations.forget_idle()
    assert len(world.begun) == 2
    full[0] = False
    destinations.offer([])
    assert {one.destination for one in await world.began(4)} == {"a", "b"}
