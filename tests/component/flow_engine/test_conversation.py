"""Events in, turns, and what leaves: actions, events, replies, rows."""

from __future__ import annotations

from support.engine import RunningEngine
from support.waiting import eventually


async def test_a_person_is_asked_answers_wrongly_and_rightly(engine: RunningEngine) -> None:
    await engine.say("/start", profile={"name": "Anna"})
    await engine.say("what?")
    await engine.say("Webhooks")
    await eventually(lambda: said(engine, ["Which lecture, Anna?", "One of these, please.", "You chose 2."]))


async def said(engine: RunningEngine, expected: list[str]) -> bool:
    found = await engine.said()
    assert found == expected
    return True
