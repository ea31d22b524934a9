"""Events in by Kafka, and what leaves by it; support.engine_conversation_suite has all that a conversation sees."""

from __future__ import annotations

from typing import Any

import orjson

from contracts.actions import ActionAdapter
from contracts.event_data import EventData
from contracts.events import Event
from contracts.replies import ReplyAdapter
from flow_engine.state.ids import conversation_id
from support.engine import RunningEngine
from support.engine_world import BOT, TELEGRAM, WEB
from support.waiting import eventually

REPLY = {"instance": "ingress-1", "partition": 1}


async def said(engine: RunningEngine, *expected: str, peer: str = "p1", channel: str = WEB) -> bool:
    found = await engine.said(peer, channel)
    assert found == list(expected)
    return True


async def replies(engine: RunningEngine, count: int = 1) -> list[dict[str, Any]]:
    """The replies so far, once there are so many; each is what contracts says."""
    found = await engine.bodies("replies")
    assert len(found) >= count
    for body in found:
        ReplyAdapter.validate_python(body)
    return found


async def test_a_person_is_asked_answers_wrongly_and_rightly(engine: RunningEngine) -> None:
    await engine.say("/start", profile={"name": "Anna"})
    await engine.say("what?")
    await engine.say("Webhooks")
    await eventually(lambda: said(engine, "Which lecture, Anna?", "One of these, please.", "You chose 2."))
    stored = await engine.pool.fetchrow("SELECT * FROM contact")
    assert (orjson.loads(stored["profile"]), orjson.loads(stored["variables"])) == ({"name": "Anna"}, {"lecture": "2"})
    (received, *_) = await engine.events("message.received")
    assert EventData.model_validate(received).contact is not None
    assert (received["bot"]["name"], received["channel"]["type"]) == ("Conference", "webchat")
    assert received["conversation_id"] == conversation_id(f"{BOT}/{WEB}/p1")
    for type in ("contact.created", "bot.subscribed", "flow.launched", "flow.completed"):
        assert len(await engine.events(type)) == 1, type
    assert len(await engine.events("message.sent")) == 3
    for body in await engine.bodies("events"):
        Event.model_validate(body)
    assert await engine.bodies("actions") == []


async def test_messages_of_a_platform_go_through_the_dispatcher_in_their_sequence(engine: RunningEngine) -> None:
    await engine.say("/start", channel=TELEGRAM, callback_id="tap-1")
    await engine.say("Kafka", channel=TELEGRAM)
    await engine.say("Kafka", channel=TELEGRAM, callback_id="tap-2", type="event")
    await eventually(lambda: said(engine, "Which lecture, ?", "Kafka it is.", "Sorry.", channel=TELEGRAM))
    actions = [ActionAdapter.validate_python(body) for body in await engine.bodies("actions")]
    assert [(a.seq, a.content.text) for a in actions] == [(1, "Which lecture, ?"), (2, "Kafka it is."), (3, "Sorry.")]
    assert [a.callback_id for a in actions] == ["tap-1", None, "tap-2"]
    assert actions[0].channel_type == "telegram"
    assert await engine.events("message.sent") == []
    await engine.send("message_result", channel=TELEGRAM, action_id=actions[0].id, seq=1, outcome="sent")
    await engine.send(
        "message_result", channel=TELEGRAM, action_id=actions[1].id, seq=2, outcome="failed", unreachable="blocked"
    )
    await eventually(lambda: engine.events("bot.blocked"))
    assert [event["message"]["seq"] for event in await engine.events("message.sent")] == [1]
    assert [event["message"]["seq"] for event in await engine.events("message.failed")] == [2]


async def test_who_waits_is_answered_when_the_call_has_come_back(engine: RunningEngine) -> None:
    await engine.say("hello?")
    start = {"source": "trigger", "flow_id": "flow-2", "entry": "asked"}
    asked = await engine.send("start", reply_to=REPLY | {"request_id": "r1"}, **start)
    (call,) = await eventually(lambda: engine.bodies("actions"))
    assert (call["kind"], call["api_call_id"]) == ("call_api", "api-1")
    assert await engine.bodies("replies") == []
    answer = {
        "action_id": call["id"],
        "wait": call["wait"],
        "outcome": "ok",
        "status": 200,
        "body": {"memory": {"seats": 4}},
    }
    await engine.send("call_result", **answer)
    (ran,) = await eventually(lambda: replies(engine))
    assert (ran["event_id"], ran["status"], ran["answer"]) == (asked, "completed", "Seats: 4")
    assert [message["content"]["text"] for message in ran["messages"]] == ["Seats: 4"]
    rows = await engine.pool.fetch("SELECT status FROM event_log WHERE id = $1", asked)
    assert [row[0] for row in rows] == ["completed"]
    await engine.send("call_result", **answer)
    await engine.say("/seats")
    await eventually(lambda: two_calls(engine))
    assert await engine.said() == ["Sorry.", "Seats: 4"]


async def two_calls(engine: RunningEngine) -> bool:
    return len(await engine.bodies("actions")) == 2
