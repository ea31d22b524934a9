"""A replica that leaves in good order leaves at once."""

from __future__ import annotations

import time

import pytest

from support.dispatcher import RunningDispatcher, endpoint
from support.receiver import Receiver
from support.waiting import eventually


@pytest.mark.parametrize("delay", [0.0, 0.5])
async def test_what_is_on_the_wire_is_finished_and_nothing_else_is_waited_for(
    dispatcher: RunningDispatcher, sink: Receiver, delay: float
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    sink.delay("/x", delay)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests)
    began = time.monotonic()
    await dispatcher.stop()
    assert time.monotonic() - began < 4
    assert await dispatcher.states() == {"succeeded": 1}


async def test_who_has_done_nothing_leaves_at_once(dispatcher: RunningDispatcher) -> None:
    replica = await dispatcher.start()
    await eventually(lambda: all(check() is None for check in replica.checks().values()))
    began = time.monotonic()
    await dispatcher.stop()
    assert time.monotonic() - began < 4
