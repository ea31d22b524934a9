"""A replica that leaves in good order leaves at once, and nothing of it stays behind."""

from __future__ import annotations

import time

from aiokafka.admin import AIOKafkaAdminClient

from dispatcher.main import SERVICE
from support.dispatcher import RunningDispatcher, endpoint
from support.receiver import Receiver
from support.waiting import eventually

GROUPS = (f"{SERVICE}-actions", f"{SERVICE}-events")
STATE = 2
"""Where a described group's state lies in what aiokafka returns."""


async def test_it_finishes_what_is_on_the_wire_and_leaves_its_groups(
    dispatcher: RunningDispatcher, sink: Receiver
) -> None:
    await dispatcher.registry.put(endpoint("e1", f"{sink.url}/x", "tag.added"))
    sink.delay("/x", 0.5)
    await dispatcher.start()
    await dispatcher.event("tag.added")
    await eventually(lambda: sink.requests)
    began = time.monotonic()
    await dispatcher.stop()
    assert time.monotonic() - began < 4
    assert await dispatcher.states() == {"succeeded": 1}
    assert await group_states(dispatcher) == {"Empty"}


async def group_states(dispatcher: RunningDispatcher) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=dispatcher.cluster.servers)
    await admin.start()
    try:
        answers = await admin.describe_consumer_groups([dispatcher.cluster.named(group) for group in GROUPS])
        return {group[STATE] for answer in answers for group in answer.groups}
    finally:
        await admin.close()
