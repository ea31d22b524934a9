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
from support.fake_telegram import fake_telegram
from support.receiver import receiver
from support.story import Story

OUTAGE_SECONDS = 60
TRACES = "traces.jsonl"
JOINED = {
    ("ingress", "ingress.platform"),
    ("flow-engine", "engine.turn"),
    ("dispatcher", "deliver call"),
    ("dispatcher", "deliver message"),
    ("dispatcher", "deliver webhook"),
    ("dispatcher", "deliver event"),
}
"""One update of Telegram: the turn, the API call, the answer's turn, the message, the step's webhook, the endpoint's."""
VICTIMS = ("flow-engine", "kafka", "dispatcher", "postgres", "ingress", "registry")


@asynccontextmanager
async def storyteller(
    folder: Path, blow: Callable[[Stack], Awaitable[None]] | None = None
) -> AsyncIterator[tuple[Stack, Story]]:
    env = {"SWITCHHOOK_TRACE_SAMPLE": "1", "SWITCHHOOK_TRACE_FILE": str(folder / TRACES)}
    async with fake_telegram() as telegram, receiver() as far_end, Stack(folder, env=env) as stack:

        async def strike() -> None:
            if blow is not None:
                await blow(stack)

        yield stack, Story(stack, telegram, far_end, print, strike)


async def test_the_story_comes_out_as_it_should(tmp_path: Path) -> None:
    async with storyteller(tmp_path) as (_, story):
        await story.tell()
    traces = await asyncio.to_thread(spans_by_trace, tmp_path / TRACES)
    assert any(spans >= JOINED for spans in traces.values()), "a trace joins the inbound request to the last delivery"


def spans_by_trace(file: Path) -> dict[str, set[tuple[str, str]]]:
    """Trace id -> (service, name) of its spans."""
    traces: dict[str, set[tuple[str, str]]] = {}
    for line in file.read_text().splitlines():
        span = json.loads(line)
        traces.setdefault(span["trace_id"], set()).add((span["service"], span["name"]))
    return traces


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
