"""A crash around a takeover: whoever goes on decides as the dead one did."""

from __future__ import annotations

import pytest

from support.engine import RunningEngine
from support.waiting import eventually


class Crash(BaseException):
    """Passes every handler of errors, as the end of a process would."""


@pytest.mark.parametrize("point", ["in_txn", "after_commit"])
async def test_a_crash_around_a_takeover_makes_it_once(
    engine: RunningEngine, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two agents the first one has it, and the other one is refused, before and after."""
    await engine.say("hello?")
    await eventually(lambda: said(engine, "Sorry."))
    crashes = [point]

    async def crash(here: str) -> None:
        if crashes == [here]:
            crashes.clear()
            raise Crash

    for module in ("servicekit.loop.partition_loop", "servicekit.checkpoints.transactions"):
        monkeypatch.setattr(f"{module}.failpoint", crash)
    kim, lee = {"id": "a1", "name": "Kim"}, {"id": "a2", "name": "Lee"}
    for agent in (kim, lee):
        await engine.send("owner", to="agent", by=agent)
    await engine.died()
    assert not crashes
    await engine.start()
    await engine.send("agent_message", agent=kim, text="Hello, I am Kim.")
    await engine.send("agent_message", agent=lee, text="Hello, I am Lee.")
    await engine.say("hello?")
    await eventually(lambda: said(engine, "Sorry.", "Hello, I am Kim."), seconds=30)
    await eventually(lambda: told_once(engine))


async def said(engine: RunningEngine, *expected: str) -> bool:
    return list(expected) == await engine.said()


async def told_once(engine: RunningEngine) -> bool:
    told = {event["message"]["id"]: event["message"]["text"] for event in await engine.events("message.sent")}
    assert sorted(told.values()) == sorted(await engine.said())
    return len({event["event_id"] for event in await engine.events("live_chat.opened")}) == 1
