"""What is due is found, as much of it as its destination takes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from dispatcher.model.delivery import Delivery, Limits, Result
from dispatcher.results import conclusions
from dispatcher.results.outcomes import Outcomes
from dispatcher.scheduling import claims as module
from dispatcher.scheduling.claims import UNPUBLISHED_AGE, Claims
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.holdings import Holdings
from dispatcher.scheduling.pulse import Pulse
from dispatcher.store.port import Queue
from support.at_work import at_work
from support.deliveries_in_memory import DeliveriesInMemory
from support.delivering import leased, new
from support.leased import attempted, delivery
from support.waiting import eventually


class World:
    """Destinations that take two at once; attempts end when the test says so."""

    def __init__(self) -> None:
        self.store, self.begun, self.swept = DeliveriesInMemory(), list[Delivery](), list[timedelta]()
        self.due, self.ends, self.kafka = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.kafka.set()
        self.destinations = Destinations(
            self.attempt, lambda result: None, lambda name: Limits(2), most=100, starved=self.due.set
        )
        self.holdings = Holdings(Pulse(60), 60, list)
        self.outcomes = Outcomes(1)
        self.claims = Claims(
            self.store, self.destinations, self.holdings, self.outcomes, cut_off=self.cut_off,
            due=self.due, sweep_results=self.sweep, lease_seconds=60,
        )  # fmt: skip

    async def attempt(self, one: Delivery) -> Result:
        self.begun.append(one)
        await self.ends.wait()
        return attempted(one)

    @staticmethod
    def cut_off(one: Delivery) -> Result | None:
        """As of a kind that may not be sent twice."""
        return conclusions.cut_off(one) if one.cut_off else None

    async def sweep(self, age: timedelta) -> None:
        self.swept.append(age)
        await self.kafka.wait()

    async def waiting(self, count: int, **more: object) -> list[Delivery]:
        return [await leased(self.store, state="pending", **more) for _ in range(count)]

    def keys(self) -> list[object]:
        return [one.key for one in self.begun]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def running(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Claims that look only when something says so."""
    monkeypatch.setattr(module, "EVERY_SECONDS", 60.0)
    async with at_work(world.claims.run()):
        yield world


async def test_what_is_due_is_sent_and_its_queue_looked_at_when_the_next_is_due(world: World) -> None:
    [one] = await world.waiting(1)
    assert not await world.claims.once()
    await eventually(lambda: world.keys() == [one.key])
    assert await world.store.due_queues([]) == []


async def test_what_was_cut_off_and_may_not_be_sent_twice_is_ended(world: World) -> None:
    first, second = await leased(world.store, seconds=0), await leased(world.store, state="pending")
    await world.claims.once()
    await eventually(lambda: world.keys() == [second.key])
    [ended] = world.outcomes.batch(10).results
    assert (ended.delivery.key, ended.outcome, ended.code) == (first.key, "exhausted", "interrupted")


async def test_no_more_is_leased_than_a_destination_takes(world: World) -> None:
    world.destinations.destination("endpoint:e1").seconds = 5.0
    given = await world.waiting(3)
    assert await world.claims.once()  # As much as there was room for: there may be more.
    assert not await world.claims.once()  # No room.
    await eventually(lambda: world.keys() == [one.key for one in given[:2]])
    assert await world.store.state(given[2]) == "pending"


async def test_what_was_left_behind_is_claimed_as_soon_as_there_is_room(running: World) -> None:
    running.destinations.destination("endpoint:e1").seconds = 5.0
    given = await running.waiting(3)
    running.due.set()
    await eventually(lambda: len(running.begun) == 2)
    running.ends.set()
    await eventually(lambda: len(running.begun) == len(given))


async def test_the_queue_of_a_destination_that_takes_nothing_waits_as_long_as_it_does(world: World) -> None:
    world.destinations.pause("endpoint:e1", 60)
    [dead], [other] = await world.waiting(1), await world.waiting(1, to="endpoint:e2")
    await world.claims.once()
    await eventually(lambda: world.keys() == [other.key])
    assert (await world.store.state(dead), await world.store.due_queues([])) == ("pending", [])


async def test_a_queue_whose_destination_answers_again_while_it_is_put_off_is_looked_at_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.destinations.pause("endpoint:e1", 60)
    [one] = await world.waiting(1)
    look_later = world.store.look_later

    async def slowly(queue: Queue, seconds: float) -> None:
        world.destinations.resume("endpoint:e1")
        await look_later(queue, seconds)

    monkeypatch.setattr(world.store, "look_later", slowly)
    for _ in range(2):
        await world.claims.once()
    await eventually(lambda: world.keys() == [one.key])


async def test_however_many_queues_of_a_project_are_due_another_projects_is_looked_at(world: World) -> None:
    lanes = [(f"endpoint:{name}", f"events/{partition}") for name in range(42) for partition in range(12)]
    world.holdings.sources |= {source for _, source in lanes}
    waiting = []
    for to, source in lanes:
        lane = {"lane": f"{to}/{source}", "seq": 1, "source": source}
        waiting.append(await new(world.store, to=to, state="pending", project_id="a", **lane))
    for to in {to for to, _ in lanes}:
        world.destinations.destination(to).seconds = 5.0
        world.destinations.offer(delivery(destination=to, project_id="a") for _ in range(4))
    await leased(world.store, *waiting, to="endpoint:last", state="pending", project_id="a")
    [healthy] = await world.waiting(1, to="endpoint:healthy", project_id="b")
    await world.claims.once()
    await eventually(lambda: [one.key for one in world.begun if one.project_id == "b"] == [healthy.key])


async def test_lanes_of_others_are_not_claimed(world: World) -> None:
    [one] = await world.waiting(1, lane="l", seq=1, source="events/3")
    await world.claims.once()
    assert await world.store.state(one) == "pending"
    await world.holdings.take(["events/3"], world.destinations, world.store)
    await world.claims.once()
    assert await world.store.state(one) == "in_flight"


async def test_at_first_all_that_a_crash_left_unpublished_is_published_and_later_what_is_old(
    running: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await eventually(lambda: running.swept == [timedelta(0)])
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.0)
    running.due.set()
    await eventually(lambda: running.swept == [timedelta(0), UNPUBLISHED_AGE])


async def test_a_queue_whose_look_was_lost_is_mended_by_the_sweep(running: World) -> None:
    await eventually(lambda: running.swept)
    [one] = await running.waiting(1)
    running.store.tables.looks[one.queue_id] = None
    await running.claims._sweep(first=False)
    running.due.set()
    await eventually(lambda: running.keys() == [one.key])


async def test_the_database_being_away_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)
    monkeypatch.setattr(module, "GRACE_SECONDS", 0.01)
    due_queues, asked = world.store.due_queues, list[int]()

    async def away_at_first(sources: object) -> object:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionResetError("away")
        return await due_queues(sources)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr(world.store, "due_queues", away_at_first)
    [one] = await world.waiting(1)
    task = asyncio.create_task(world.claims.run())
    await eventually(lambda: world.keys() == [one.key])
    task.cancel()


async def test_claiming_does_not_wait_for_kafka_to_take_results(running: World) -> None:
    """Seen: while Kafka was away the sweep waited for it, and nothing was claimed."""
    running.kafka.clear()
    await running.claims._sweep(first=False)
    await running.claims._sweep(first=False)
    [one] = await running.waiting(1)
    running.due.set()
    await eventually(lambda: running.keys() == [one.key])
    assert len(running.swept) <= 2, "one at a time"
    running.kafka.set()
