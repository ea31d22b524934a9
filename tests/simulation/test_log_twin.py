"""The broker in memory and its clients do what Kafka and aiokafka do, as far as the simulation needs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from servicekit.kafka.publisher import KafkaPublisher
from simulation.machines import CLUSTER
from simulation.places import simulated
from simulation.world import Clients, World
from support.log_suite import CHECKS, PARTITIONS, Broker, checked
from support.stack import SESSION_SECONDS


class InMemory:
    topic = "a-topic"

    def __init__(self, world: World) -> None:
        self._world = world
        world.log.create(self.topic, PARTITIONS)
        self.publisher = KafkaPublisher(CLUSTER, client_id="a")

    def make_consumer(self, instance: str) -> Any:
        return self._world.kafka.make_consumer(
            CLUSTER, client_id=instance, group="g", instance=instance, session_timeout=SESSION_SECONDS
        )


async def _checked(world: World, check: Callable[[Broker], Awaitable[None]]) -> None:
    broker = InMemory(world)
    await broker.publisher.start()
    await broker.publisher.know([broker.topic])
    await checked(check, broker)
    await broker.publisher.stop()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_twin(check: Callable[[Broker], Awaitable[None]]) -> None:
    world = World(1)
    with simulated(world.loop, Random(1), Clients(world), ""):
        try:
            world.loop.run_until_complete(_checked(world, check))
        finally:
            world.bury()
    world.loop.close()
