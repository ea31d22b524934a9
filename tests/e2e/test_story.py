"""The story of `demo`, told to a stack that is well, to one whose processes are killed all along, and after an outage."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.fake_telegram import fake_telegram
from support.receiver import receiver

from devstack.stack import Stack
from support.story import Story

OUTAGE_SECONDS = 60
VICTIMS = ("flow-engine", "kafka", "dispatcher", "postgres", "ingress", "registry")


@asynccontextmanager
async def storyteller(
    folder: Path, blow: Callable[[Stack], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[Stack, Story]]:
    async with fake_telegram() as telegram, receiver() as far_end, Stack(folder) as stack:

        async def strike() -> None:
            if blow is not None:
                await blow(stack)

        yield stack, Story(stack, telegram, far_end, print, strike)


async def test_the_story_comes_out_as_it_should(tmp_path: Path) -> None:
    async with storyteller(tmp_path) as (_, story):
        await story.tell()


async def test_the_story_survives_kill_9_of_every_process(tmp_path: Path) -> None:
    """After each event that was accepted, the next process dies on the spot; the supervisor starts it again."""
    victims = itertools.cycle(VICTIMS)

    async def kill_next(stack: Stack) -> None:
        name = next(victims)
        server = {"kafka": stack.kafka, "postgres": stack.postgres}.get(name) or stack.service(name)
        if server.running:
            os.kill(server.pid, signal.SIGKILL)

    async with storyteller(tmp_path, kill_next) as (_, story):
        await story.tell()


@pytest.mark.timeout(400)
async def test_every_service_recovers_after_a_minute_without_kafka_and_postgres(tmp_path: Path) -> None:
    async with storyteller(tmp_path) as (stack, story):
        pids = {name: service.pid for name, service in stack.services.items()}
        await asyncio.gather(stack.kafka.kill(), stack.postgres.kill())
        await asyncio.sleep(OUTAGE_SECONDS)  # The outage itself: nothing can be waited for in it.
        await asyncio.gather(stack.kafka.start(), stack.postgres.start())
        await stack.wait_ready(seconds=60)
        await story.tell()
        assert {name: service.pid for name, service in stack.services.items()} == pids, (
            "by themselves, not by a restart"
        )
