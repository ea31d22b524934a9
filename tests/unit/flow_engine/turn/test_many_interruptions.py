"""A conversation in which more and more runs interrupt each other's calls."""

from __future__ import annotations

import pytest

from flowlang.running.sessions import MOST_INTERRUPTED
from support.engine_world import EngineWorld


async def test_a_conversation_goes_on_after_hundreds_of_runs_that_interrupt_each_others_calls(
    world: EngineWorld,
) -> None:
    await world.say("hello?")
    for _ in range(200):
        world.put("start", source="trigger", flow_id="flow-2", entry="asked")
    await world.settle()
    calls = world.bodies("actions")
    assert len(calls) == 200
    for call in calls:
        answer = {"action_id": call["id"], "wait": call["wait"], "outcome": "ok", "status": 200}
        await world.send("call_result", body={"memory": {"seats": 4}}, **answer)
    await world.say("/start")
    assert (await world.held(), world.dead(), world.events("flow.failed")) == (0, [], [])
    assert (await world.said())[1:] == ["Seats: 4"] * (MOST_INTERRUPTED + 1) + ["Which lecture, ?"]
    assert len(world.events("session.expired")) == 200 - (MOST_INTERRUPTED + 1)


async def test_a_turn_that_ends_timers_has_as_much_room_as_another(
    world: EngineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flow_engine.turn.effects.MOST_EFFECTS", 6)
    await world.say("/later")
    await world.say("/start")
    assert (await world.said())[-1] == "Which lecture, ?"
    assert world.events("flow.failed") == []
