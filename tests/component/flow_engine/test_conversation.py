"""Events in, turns, and what leaves: actions, events, replies, rows."""

from __future__ import annotations

from typing import Any

import orjson

from contracts.actions import ActionAdapter
from contracts.events import Event, EventData
from contracts.replies import ReplyAdapter
from flow_engine.state.ids import conversation_id
from support.engine import BOT, TELEGRAM, WEB, RunningEngine
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


async def test_a_stranger_is_not_written_to(engine: RunningEngine) -> None:
    start = {"source": "trigger", "flow_id": "flow-1", "entry": "bought", "trigger_id": "t1"}
    id = await engine.send("start", reply_to=REPLY | {"request_id": "r1", "until": "verdict"}, **start)
    (refused,) = await eventually(lambda: replies(engine))
    assert (refused["status"], refused["event_id"]) == ("rejected", id)
    problem = refused["problem"]
    assert (problem["type"], problem["status"], problem["reason"]) == ("peer-not-reachable", 409, "has-not-talked")
    (event,) = await engine.events("trigger.rejected")
    assert event["problem"]["reason"] == "has-not-talked"
    await engine.say("hello?")
    await engine.send(
        "start", reply_to=REPLY | {"request_id": "r2", "until": "rest"}, variables={"order_id": "n1"}, **start
    )
    await eventually(lambda: said(engine, "Sorry.", "Paid: n1"))
    (_, ran) = await eventually(lambda: replies(engine, 2))
    assert (ran["request_id"], ran["status"], ran["answer"]) == ("r2", "completed", "Paid: n1")
    assert [message["content"]["text"] for message in ran["messages"]] == ["Paid: n1"]


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


async def test_a_call_that_nobody_has_defined_takes_the_error_way(engine: RunningEngine) -> None:
    await engine.say("/nowhere")
    await eventually(lambda: said(engine, "No answer."))


async def test_the_same_event_makes_one_turn_and_its_repeat_gets_the_first_answer(engine: RunningEngine) -> None:
    await engine.say("hello?")
    start = {"source": "trigger", "flow_id": "flow-1", "entry": "bought", "variables": {"order_id": "n1"}}
    id = await engine.send("start", id="6b1c2c64-0000-5000-8000-000000000001", **start)
    await eventually(lambda: said(engine, "Sorry.", "Paid: n1"))
    await engine.send("start", id=id, reply_to=REPLY | {"request_id": "r2"}, **start)
    (again,) = await eventually(lambda: replies(engine))
    assert (again["request_id"], again["status"], again["answer"]) == ("r2", "completed", "Paid: n1")
    assert [message["content"]["text"] for message in again["messages"]] == ["Paid: n1"]
    assert await engine.said() == ["Sorry.", "Paid: n1"]


async def test_an_attached_instance_gets_the_backlog_and_then_copies(engine: RunningEngine) -> None:
    await engine.say("/start")
    attach = {"instance": "ingress-1", "partition": 2, "until": "2099-01-01T00:00:00.000Z"}
    await engine.send("attach", after=0, request_id="r1", **attach)
    await engine.say("Kafka")
    found = await eventually(lambda: replies(engine, 2))
    assert [(body.get("request_id"), [m["seq"] for m in body["messages"]]) for body in found] == [
        ("r1", [1]),
        (None, [2]),
    ]
    assert all(record.partition == 2 for record in await engine.out("replies"))


async def test_who_is_named_otherwise_is_found_and_others_are_not(engine: RunningEngine) -> None:
    await engine.say("hello?", profile={"email": "a@example.com"})
    await engine.say("hello?", "p2", profile={"email": "b@example.com", "phone": "+1"})
    await engine.say("hello?", "p3", profile={"phone": "+1"})
    await eventually(lambda: said(engine, "Sorry.", peer="p3"))
    await eventually(lambda: said(engine, "Sorry.", peer="p2"))
    await eventually(lambda: said(engine, "Sorry.", peer="p1"))
    start = {"source": "trigger", "flow_id": "flow-1", "entry": "bought", "variables": {"order_id": "n1"}}
    for number, person in enumerate([{"email": "a@example.com"}, {"email": "nobody@example.com"}, {"phone": "+1"}]):
        ((field, value),) = person.items()
        reply = REPLY | {"request_id": f"r{number}", "until": "verdict"}
        key = f"{BOT}/-/{field}:{value}"
        await engine.send("start", "-", channel="-", key=key, person=person, reply_to=reply, **start)
    await eventually(lambda: said(engine, "Sorry.", "Paid: n1"))
    found = {body["request_id"]: body for body in await eventually(lambda: replies(engine, 3))}
    assert found["r0"]["status"] == "started"
    assert found["r1"]["problem"]["type"] == "contact-not-found"
    assert found["r2"]["problem"]["type"] == "contact-ambiguous"
    assert found["r2"]["problem"]["status"] == 409


async def test_a_generated_url_answers_its_caller_and_a_failed_command_says_why(engine: RunningEngine) -> None:
    for number, content in enumerate(["n1", "bad"]):
        reply = REPLY | {"request_id": f"r{number}"}
        link = {"link_id": f"link-{number}", "command": "/code", "content": content, "reply_to": reply}
        await engine.send("url", f"link-{number}", channel="-", **link)
    found = {body["request_id"]: body for body in await eventually(lambda: replies(engine, 2))}
    assert (found["r0"]["status"], found["r0"]["answer"]) == ("completed", "Got n1")
    assert found["r1"]["status"] == "failed"
    assert (found["r1"]["problem"]["type"], found["r1"]["problem"]["status"]) == ("command-failed", 503)
    assert found["r1"]["problem"]["detail"] == "no money"


async def test_a_single_use_url_works_once(engine: RunningEngine) -> None:
    for number in range(2):
        link = {"link_id": "link", "command": "/code", "content": "x", "single_use": True}
        await engine.send("url", "link", channel="-", reply_to=REPLY | {"request_id": f"r{number}"}, **link)
    found = {body["request_id"]: body for body in await eventually(lambda: replies(engine, 2))}
    assert found["r0"]["status"] == "completed"
    assert (found["r1"]["problem"]["type"], found["r1"]["problem"]["status"]) == ("link-gone", 404)


async def test_a_command_for_another_person_comes_to_them(engine: RunningEngine) -> None:
    await engine.say("hello?", "p9")
    await engine.send("url", content="tell", link_id="l", command="/code")
    await eventually(lambda: said(engine, "Sorry.", peer="p9"))
    assert await engine.said() == []
    await engine.say("hello?")
    await engine.send("url", content="tell", link_id="l", command="/code")
    await eventually(lambda: said(engine, "Sorry.", "Which lecture, ?", peer="p9"))
    assert await engine.said() == ["Sorry.", "Got tell"]


async def test_a_webhook_step_carries_the_contact_as_it_was_at_that_step(engine: RunningEngine) -> None:
    await engine.say("/report", profile={"name": "Anna"})
    (post,) = await eventually(lambda: engine.bodies("actions"))
    assert (post["kind"], post["title"], post["url"]) == ("post_webhook", "Points 7", "https://crm.example.com/hook")
    assert post["data"]["contact"]["variables"] == {"points": 7}
    assert post["data"]["contact"]["tags"] == ["vip"]
    assert (post["data"]["flow"]["slug"], post["data"]["node"]) == ("report", "send")
    (pushed,) = await engine.events("profile.pushed")
    assert pushed["contact"]["name"] == "Anna"
    assert [event["tag"] for event in await engine.events("tag.added")] == ["vip"]
    assert (await engine.events("contact.updated"))[0]["changed"] == ["variables.points"]
    row = await engine.pool.fetchrow("SELECT variables, tags FROM contact")
    assert (orjson.loads(row["variables"]), row["tags"]) == ({"points": 7}, ["vip"])


async def test_another_program_changes_a_contact(engine: RunningEngine) -> None:
    await engine.say("hello?", profile={"name": "Anna", "city": "Riga"})
    change = {"profile": {"phone": "+371"}, "variables": {"age": 30, "x\x00": "a\x00b"}, "add_tags": ["new"]}
    await engine.send("contact_update", **change)
    await eventually(lambda: engine.events("contact.updated"))
    row = await engine.pool.fetchrow("SELECT phone, profile, variables, tags FROM contact")
    assert (row["phone"], orjson.loads(row["profile"])) == ("+371", {"name": "Anna", "city": "Riga"})
    assert (orjson.loads(row["variables"]), row["tags"]) == ({"age": 30, "x": "ab"}, ["new"])
    await engine.send("contact_update", variables={"age": None}, remove_tags=["new"])
    await eventually(lambda: engine.events("tag.removed"))
    row = await engine.pool.fetchrow("SELECT variables, tags FROM contact")
    assert (orjson.loads(row["variables"]), row["tags"]) == ({"x": "ab"}, [])


async def test_a_turn_past_its_limits_fails_and_the_next_one_works(engine: RunningEngine) -> None:
    await engine.say("/huge")
    (failed,) = await eventually(lambda: engine.events("flow.failed"))
    assert failed["error"]["type"] == "too-large"
    assert await engine.said() == []
    await engine.say("/start")
    await eventually(lambda: said(engine, "Which lecture, ?"))


async def test_an_event_too_many_hops_from_its_cause_is_refused(engine: RunningEngine) -> None:
    await engine.say("/start", hops=17)
    (failed,) = await eventually(lambda: engine.events("flow.failed"))
    assert failed["error"]["type"] == "too-many-hops"
    assert await engine.said() == []
