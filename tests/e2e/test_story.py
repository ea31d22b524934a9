"""The story of `demo`, told to a stack that is well, to one whose processes are killed all along, and after an outage."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from devstack.stack import Stack
from support.described_records import unlike_their_description
from support.fake_telegram import fake_telegram
from support.ground import TRACES, Ground
from support.reached import reached
from support.receiver import receiver
from support.story import Story, no_blow

pytestmark = pytest.mark.asyncio(loop_scope="package")
JOINED = {
    ("ingress", "ingress.platform"),
    ("flow-engine", "engine.turn"),
    ("dispatcher", "deliver call"),
    ("dispatcher", "deliver message"),
    ("dispatcher", "deliver webhook"),
    ("dispatcher", "deliver event"),
}
"""One update of Telegram: the turn, the API call, the answer's turn, the message, the step's webhook, the endpoint's."""
VICTIMS = ("flow-engine", "kafka", "dispatcher", "postgres", "ingress", "flow-engine-2", "dispatcher-2", "registry")


@asynccontextmanager
async def storyteller(stack: Stack, blow: Callable[[], Awaitable[None]] = no_blow) -> AsyncIterator[Story]:
    async with fake_telegram() as telegram, receiver() as far_end:
        yield Story(reached(stack), telegram, far_end, print, blow, traced=True)


@pytest.mark.seconds(60)
async def test_the_story_comes_out_as_it_should(ground: Ground) -> None:
    async with storyteller(ground.stack) as story:
        await story.tell()
    traces = await asyncio.to_thread(spans_by_trace, ground.stack.folder / TRACES)
    assert any(spans >= JOINED for spans in traces.values()), "a trace joins the inbound request to the last delivery"
    kinds, problems = await unlike_their_description(ground.stack.cluster.servers)
    assert problems == []
    assert {"dev.switchhook.inbound.message", "dev.switchhook.action.call_api", "dev.switchhook.tag.added"} <= kinds


def spans_by_trace(file: Path) -> dict[str, set[tuple[str, str]]]:
    """Trace id -> (service, name) of its spans."""
    traces: dict[str, set[tuple[str, str]]] = {}
    for line in file.read_text().splitlines():
        span = json.loads(line)
        traces.setdefault(span["trace_id"], set()).add((span["service"], span["name"]))
    return traces


@pytest.mark.seconds(120)
async def test_the_story_survives_kill_9_of_every_process(ground: Ground) -> None:
    """After each event that was accepted, the next process dies on the spot; the supervisor starts it again."""
    stack, victims = ground.stack, itertools.cycle(VICTIMS)

    async def kill_next() -> None:
        name = next(victims)
        server = {"kafka": stack.kafka, "postgres": stack.postgres}.get(name) or stack.service(name)
        if server.running:
            os.kill(server.pid, signal.SIGKILL)

    async with storyteller(stack, kill_next) as story:
        await story.tell()


@pytest.mark.parametrize(
    "seconds",
    [
        pytest.param(10, marks=pytest.mark.seconds(90)),
        pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(400)]),
    ],
)
async def test_every_service_recovers_after_an_outage_of_kafka_and_postgres(ground: Ground, seconds: float) -> None:
    stack = ground.stack
    async with storyteller(stack) as story:
        pids = {name: service.pid for name, service in stack.services.items()}
        await asyncio.gather(stack.kafka.kill(), stack.postgres.kill())
        await asyncio.sleep(seconds)  # The outage itself: nothing can be waited for in it.
        await asyncio.gather(stack.kafka.start(), stack.postgres.start())
        await stack.wait_ready(seconds=60)
        await story.tell()
        assert {name: service.pid for name, service in stack.services.items()} == pids, (
            "by themselves, not by a restart"
        )
