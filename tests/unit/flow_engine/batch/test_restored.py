"""A database that was put back: what an event says once more is what it said, and what another one says is nobody's repeat."""

from __future__ import annotations

import copy

from contracts import actions, events
from support.conversations_in_memory import ConversationsInMemory
from support.engine_world import EngineWorld

TOPICS = (actions.TOPIC.name, events.TOPIC.name)


def ids(world: EngineWorld) -> set[bytes | None]:
    """Of all that has left the engine since it was asked last."""
    return {dict(record.headers)["ce_id"] for topic in TOPICS for record in world.written.pop(topic, [])}


async def test_what_follows_from_an_event_is_known_again_and_what_follows_from_another_one_is_not(
    world: EngineWorld,
) -> None:
    """Seen: after `accept-restore flow-engine skip` the dispatcher dropped the next answers of each conversation."""
    await world.say("/start")
    backup = copy.deepcopy(world.store)
    assert isinstance(backup, ConversationsInMemory)
    ids(world)
    for peer in ("p1", "p2"):  # One whom the backup knows, and one whom it does not.
        world.put("message", peer, id=f"left out {peer}", message_id="1", text="what?")
    await world.settle()
    said = ids(world)
    await restored(world, backup)
    for peer in ("p1", "p2"):
        world.put("message", peer, id=f"new {peer}", message_id="2", text="what?")
    await world.settle()
    assert said.isdisjoint(ids(world))
    await restored(world, backup)
    for peer in ("p1", "p2"):
        world.put("message", peer, id=f"left out {peer}", message_id="1", text="what?")
    await world.settle()
    assert ids(world) == said


async def restored(world: EngineWorld, backup: ConversationsInMemory) -> None:
    """An engine on what the backup has."""
    await world.deferring.close()
    world.store = copy.deepcopy(backup)
    world.restart(compute_budget=0.2)
