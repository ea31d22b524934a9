"""A change of its entity ends what was found out about a destination, whatever happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from dispatcher.model.delivery import Limits
from dispatcher.scheduling import replicas as module
from dispatcher.scheduling.destinations import Destinations
from dispatcher.scheduling.replicas import Replicas
from dispatcher.store.port import Pause, Queue
from support.at_work import at_work
from support.deliveries_in_memory import DeliveriesInMemory
from support.delivering import leased
from support.waiting import eventually

NAME = "endpoint:e1"


class Store(DeliveriesInMemory):
    """`away`: what the next look at pauses raises. `after_resume` is called once, before a resume is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.away: list[Exception] = []
        self.after_resume: list[Callable[[], Any]] = []

    async def pauses(self) -> dict[str, float]:
        if self.away:
            raise self.away.pop()
        return await super().pauses()

    async def resume(self, destinations: Sequence[str], reasons: Sequence[str]) -> None:
        await super().resume(destinations, reasons)
        while self.after_resume:
            await self.after_resume.pop()()


class World:
    def __init__(self) -> None:
        self.store = Store()
        self.destinations = Destinations(self.never, self.never, lambda _: Limits(1), most=10)
        self.replicas = Replicas(self.store, self.destinations, "a")

    def never(self, *_: Any) -> Any:
        raise AssertionError

    async def found_gone(self) -> None:
        """A 410 was read."""
        await self.store.pause([Pause(NAME, 600.0, "gone")])
        self.destinations.pause(NAME, 600.0)

    def enabled(self) -> None:
        self.replicas.changed("endpoint", "e1", None)

    def is_asked(self) -> bool:
        return self.destinations.closed_for(NAME) == 0

    def at_work(self) -> AbstractAsyncContextManager[None]:
        return at_work(self.replicas.run())


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)
    return World()


async def test_a_destination_goes_on_although_the_database_went_away_while_its_change_was_noted(world: World) -> None:
    await world.found_gone()
    world.store.away = [ConnectionResetError("away")]
    world.enabled()
    async with world.at_work():
        await eventually(world.is_asked)


async def test_a_change_that_comes_while_another_one_is_noted_is_not_forgotten(world: World) -> None:
    async def gone_and_enabled() -> None:
        await world.found_gone()
        world.enabled()

    await world.found_gone()
    world.store.after_resume = [gone_and_enabled]
    world.enabled()
    async with world.at_work():
        await eventually(lambda: world.is_asked() and not world.store.after_resume)
        assert await world.store.pauses() == {}


async def test_a_queue_that_is_put_off_while_a_change_is_noted_is_looked_at_all_the_same(world: World) -> None:
    """Seen: it was looked at with the next sweep, up to 15 s after its destination could be asked again."""
    one = await leased(world.store, to=NAME, state="pending")
    queue = Queue(one.queue_id, NAME)

    async def put_off() -> None:
        await world.store.look_later(queue, world.destinations.closed_for(NAME))

    await world.found_gone()
    world.store.after_resume = [put_off]
    world.enabled()
    async with world.at_work():
        await eventually(lambda: world.is_asked() and not world.store.after_resume)

        async def is_looked_at() -> bool:
            return await world.store.due_queues([]) == [queue]

        await eventually(is_looked_at)
