"""The demo's story over the gateway's TLS: told to an installation that is well, and to one whose containers are killed."""

from __future__ import annotations

import asyncio
import itertools

from containers.composed import SERVICES, Composed
from containers.telling import storyteller

VICTIMS = ("flow-engine", "kafka-1", "dispatcher", "postgres", "ingress", "gateway", "registry")


async def test_the_story_comes_out_as_it_should(installation: Composed) -> None:
    async with storyteller(installation) as story:
        await story.tell()


async def test_the_story_survives_the_end_of_each_container(installation: Composed) -> None:
    """After each event that was accepted the next container dies on the spot; it is started again by its restart policy."""
    victims, killed = itertools.cycle(VICTIMS), set[str]()

    async def kill_next() -> None:
        name = next(victims)
        killed.add(name)
        await asyncio.to_thread(installation.kill, name)

    async with storyteller(installation, kill_next) as story:
        await story.tell()
    assert killed == set(VICTIMS)
    installation.wait_healthy(*SERVICES, "kafka-1", "postgres")
