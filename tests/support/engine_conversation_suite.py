"""What a conversation sees of the engine: one suite, over the twin in memory and over PostgreSQL."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from contracts.actions import ActionAdapter
from contracts.event_data import EventData
from contracts.events import Event
from contracts.people import Person
from contracts.replies import ReplyAdapter
from flow_engine.state.ids import conversation_id
from flow_engine.store.port import BACKLOG_LIMIT
from ingress.chat.attachments import AFTER_ALL
from support.engine_world import BOT, PROJECT, TELEGRAM, WEB, EngineWorld

REPLY: dict[str, Any] = {"instance": "ingress-1", "partition": 1}
PAID: dict[str, Any] = {"source": "trigger", "flow_id": "flow-1", "entry": "bought", "variables": {"order_id": "n1"}}
CODE: dict[str, Any] = {"link_id": "link", "command": "/code", "content": "x"}
KEY = f"{BOT}/{WEB}/p1"


def replies(world: EngineWorld) -> list[dict[str, Any]]:
    """The replies so far; each is what contracts says."""
    found = world.bodies("replies")
    for body in found:
        ReplyAdapter.validate_python(body)
    return found


def by_request(world: EngineWorld) -> dict[str, dict[str, Any]]:
    return {body["request_id"]: body for body in replies(world)}


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [message["content"]["text"] for message in messages]


def asked(number: int, **more: Any) -> dict[str, Any]:
    """The `reply_to` of a caller who waits."""
    return {"reply_to": REPLY | {"request_id": f"r{number}"} | more}


async def named(world: EngineWorld, *people: dict[str, str]) -> list[str]:
    """What becomes of a start for each of these people: `started`, or the problem's type and status."""
    before = len(replies(world))
    for number, person in enumerate(people):
        key = f"{BOT}/-/{Person(**person).named()}"
        world.put("start", "-", channel="-", key=key, person=person, **asked(number, until="verdict"), **PAID)
    await world.settle()
    found = {body["request_id"]: body for body in replies(world)[before:]}
    answers = [found[f"r{number}"] for number in range(len(people))]
    return [
        body["status"] if "problem" not in body else f"{body['problem']['type']} {body['problem']['status']}"
        for body in answers
    ]


class ConversationSuite:
    """What a conversation sees. Test classes inherit it and give a `world` with the flows of support.engine_flows."""

    async def test_a_person_is_asked_answers_wrongly_and_rightly(self, world: EngineWorld) -> None:
        await world.say("/start", profile={"name": "Anna"})
        await world.say("what?")
        await world.say("Webhooks")
        assert await world.said() == ["Which lecture, Anna?", "One of these, please.", "You chose 2."]
        person = await world.contact()
        assert (person.profile, person.variables) == ({"name": "Anna"}, {"lecture": "2"})
        (received, *_) = world.events("message.received")
        assert EventData.model_validate(received).contact is not None
        assert (received["bot"]["name"], received["channel"]["type"]) == ("Conference", "webchat")
        assert received["conversation_id"] == conversation_id(KEY)
        for type in ("contact.created", "bot.subscribed", "flow.launched", "flow.completed"):
            assert len(world.events(type)) == 1, type
        assert len(world.events("message.sent")) == 3
        for body in world.bodies("events"):
            Event.model_validate(body)
        assert world.bodies("actions") == []

    async def test_messages_of_a_platform_go_through_the_dispatcher_in_their_sequence(self, world: EngineWorld) -> None:
        await world.say("/start", channel=TELEGRAM, callback_id="tap-1")
        await world.say("Kafka", channel=TELEGRAM)
        await world.say("Kafka", channel=TELEGRAM, callback_id="tap-2", type="event")
        assert await world.said(channel=TELEGRAM) == ["Which lecture, ?", "Kafka it is.", "Sorry."]
        actions = [ActionAdapter.validate_python(body) for body in world.bodies("actions")]
        said = [(action.seq, action.content.text) for action in actions]
        assert said == [(1, "Which lecture, ?"), (2, "Kafka it is."), (3, "Sorry.")]
        assert [action.callback_id for action in actions] == ["tap-1", None, "tap-2"]
        assert actions[0].channel_type == "telegram"
        assert world.events("message.sent") == []
        result: dict[str, Any] = {"channel": TELEGRAM, "kind": "message_result"}
        await world.send(**result, action_id=actions[0].id, seq=1, outcome="sent")
        await world.send(**result, action_id=actions[1].id, seq=2, outcome="failed", unreachable="blocked")
        assert len(world.events("bot.blocked")) == 1
        assert [event["message"]["seq"] for event in world.events("message.sent")] == [1]
        assert [event["message"]["seq"] for event in world.events("message.failed")] == [2]

    async def test_what_a_platform_cannot_show_comes_in_words_and_a_page_has_it_all(self, world: EngineWorld) -> None:
        await world.say("/cards", channel=TELEGRAM)
        await world.say("/cards")
        actions = [ActionAdapter.validate_python(body) for body in world.bodies("actions")]
        first, tea, cup = [action.content for action in actions]
        assert (first.text, first.degraded) == ("Which?", ("cards",))
        assert (tea.text, tea.media.url, tea.buttons[0].title) == ("Tea", "https://shop.example.com/tea.png", "Buy")
        assert (cup.text, cup.media) == ("Cup", None)
        sent = world.events("message.sent")[0]["message"]
        assert ([card["title"] for card in sent["cards"]], "degraded" in sent) == (["Tea", "Cup"], False)

    async def test_a_tap_that_no_message_answers_is_acknowledged(self, world: EngineWorld) -> None:
        await world.say("/seats", channel=TELEGRAM, callback_id="tap-1")
        call, acknowledged = world.bodies("actions")
        assert (call["kind"], acknowledged["kind"], acknowledged["callback_id"]) == (
            "call_api",
            "acknowledge_tap",
            "tap-1",
        )
        await world.say("/seats", callback_id="tap-2")
        assert [body["kind"] for body in world.bodies("actions")[2:]] == ["call_api"]

    async def test_a_stranger_is_not_written_to(self, world: EngineWorld) -> None:
        start: dict[str, Any] = {"source": "trigger", "flow_id": "flow-1", "entry": "bought", "trigger_id": "t1"}
        id = await world.send("start", **asked(1, until="verdict"), **start)
        (refused,) = replies(world)
        assert (refused["status"], refused["event_id"]) == ("rejected", id)
        problem = refused["problem"]
        assert (problem["type"], problem["status"], problem["reason"]) == ("peer-not-reachable", 409, "has-not-talked")
        (event,) = world.events("trigger.rejected")
        assert event["problem"]["reason"] == "has-not-talked"
        assert (await world.stored()).loaded is None
        await world.say("hello?")
        await world.send("start", **asked(2), variables={"order_id": "n1"}, **start)
        assert await world.said() == ["Sorry.", "Paid: n1"]
        ran = by_request(world)["r2"]
        assert (ran["status"], ran["answer"], texts(ran["messages"])) == ("completed", "Paid: n1", ["Paid: n1"])

    async def test_two_refusals_of_a_stranger_are_told_by_records_of_their_own(self, world: EngineWorld) -> None:
        for _ in range(2):
            await world.send("start", trigger_id="t1", **PAID)
        first, second = (dict(record.headers)["ce_id"] for record in world.out("events"))
        assert first != second

    async def test_who_waits_is_answered_when_the_call_has_come_back(self, world: EngineWorld) -> None:
        await world.say("hello?")
        event = await world.send("start", source="trigger", flow_id="flow-2", entry="asked", **asked(1))
        (call,) = world.bodies("actions")
        assert (call["kind"], call["api_call_id"], call["response"]) == ("call_api", "api-1", "envelope")
        assert replies(world) == []
        body = {"memory": {"seats": 4}}
        answer: dict[str, Any] = {
            "action_id": call["id"],
            "wait": call["wait"],
            "outcome": "ok",
            "status": 200,
            "body": body,
        }
        await world.send("call_result", **answer)
        (ran,) = replies(world)
        assert (ran["event_id"], ran["status"], ran["answer"]) == (event, "completed", "Seats: 4")
        assert texts(ran["messages"]) == ["Seats: 4"]
        assert (await world.logged(event)).status == "completed"
        await world.send("call_result", **answer)
        await world.say("/seats")
        assert len(world.bodies("actions")) == 2
        assert await world.said() == ["Sorry.", "Seats: 4"]

    async def test_a_call_that_nobody_has_defined_takes_the_error_way(self, world: EngineWorld) -> None:
        await world.say("/nowhere")
        assert await world.said() == ["No answer."]

    async def test_an_attached_instance_gets_the_backlog_and_then_copies(self, world: EngineWorld) -> None:
        await world.say("/start")
        attach: dict[str, Any] = {"instance": "ingress-1", "partition": 2, "until": "2099-01-01T00:00:00.000Z"}
        await world.send("attach", after=0, request_id="r1", **attach)
        await world.say("Kafka")
        await world.send("attach", after=1, request_id="r2", **attach)
        assert [(body.get("request_id"), [m["seq"] for m in body["messages"]]) for body in replies(world)] == [
            ("r1", [1]),
            (None, [2]),
            ("r2", [2]),
        ]
        assert [body["last_seq"] for body in replies(world) if "request_id" in body] == [1, 2]
        assert all(record.partition == 2 for record in world.out("replies"))

    async def test_who_attaches_from_now_on_is_told_the_last_of_more_messages_than_a_backlog_has(
        self, world: EngineWorld
    ) -> None:
        for _ in range(BACKLOG_LIMIT + 5):
            world.put("message", message_id=str(uuid4()), text="what?")
        await world.settle()
        attach: dict[str, Any] = {"instance": "i", "partition": 2, "until": "2099-01-01T00:00:00.000Z"}
        await world.send("attach", after=AFTER_ALL, request_id="r1", **attach)
        await world.send("attach", "stranger", after=AFTER_ALL, request_id="r2", **attach)
        assert [(body["messages"], body["last_seq"]) for body in replies(world)] == [([], BACKLOG_LIMIT + 5), ([], 0)]

    async def test_a_backlog_that_one_reply_does_not_hold_is_one_reply(
        self, world: EngineWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Who asked takes one, and asks again: the rest was written for nobody."""
        monkeypatch.setattr("flow_engine.turn.outputs.MESSAGES_LIMIT", 1)
        attach: dict[str, Any] = {"instance": "i", "partition": 2, "until": "2099-01-01T00:00:00.000Z"}
        for _ in range(3):
            await world.say("what?")
        await world.send("attach", after=0, request_id="r1", **attach)
        assert [[m["seq"] for m in body["messages"]] for body in replies(world)] == [[1]]

    async def test_an_attach_in_the_batch_of_what_it_asks_for_gets_it_once(self, world: EngineWorld) -> None:
        attach: dict[str, Any] = {
            "instance": "i",
            "partition": 2,
            "until": "2099-01-01T00:00:00.000Z",
            "request_id": "r1",
        }
        world.put("message", message_id="1", text="/start")
        world.put("attach", after=0, **attach)
        await world.settle()
        assert [[m["seq"] for m in body["messages"]] for body in replies(world)] == [[1]]

    async def test_who_is_named_by_what_was_verified_is_found_however_it_is_written(self, world: EngineWorld) -> None:
        await world.say("hello?", "p2")
        await world.send("contact_update", "p2", profile={"email": "Hugo@example.com", "external_id": "crm-7"})
        await world.say("hello?", "p3", channel=TELEGRAM, profile={"phone": "491701234567"}, verified=["phone"])
        found = await named(
            world, {"email": "HUGO@Example.com"}, {"external_id": "crm-7"}, {"phone": "+49 (0)170 123-45 67"},
            {"email": "nobody@example.com"}, {"phone": "0170 1234567"}, {"contact_id": "x"},
        )  # fmt: skip
        assert found == ["started", "started", "started", *["contact-not-found 404"] * 3]
        assert await world.said("p2") == ["Sorry.", "Paid: n1", "Paid: n1"]
        assert await world.said("p3", TELEGRAM) == ["Sorry.", "Paid: n1"]
        assert len(world.events("trigger.rejected")) == 3

    async def test_what_a_person_claims_leads_nobody_to_him(self, world: EngineWorld) -> None:
        claimed = {"email": "hugo@example.com", "phone": "+491701234567", "external_id": "crm-7"}
        await world.say("hello?", profile=claimed)
        assert (await world.contact()).profile == claimed
        people = [{field: value} for field, value in claimed.items()]
        assert await named(world, *people) == ["contact-not-found 404"] * 3
        await world.say("hello?", "p2")
        await world.send("contact_update", "p2", profile=claimed)
        assert await named(world, *people) == ["started"] * 3
        assert (await world.said(), len(await world.said("p2"))) == (["Sorry."], 4)

    async def test_what_is_bound_to_a_channel_writes_there_or_not_at_all(self, world: EngineWorld) -> None:
        await world.say("hello?")
        await world.send("contact_update", profile={"email": "hugo@example.com"})
        hugo = {"email": "hugo@example.com"}
        found = await named(world, hugo | {"channel_id": TELEGRAM}, hugo | {"channel_id": WEB})
        assert found == ["peer-not-reachable 409", "started"]
        assert by_request(world)["r0"]["problem"]["reason"] == "not-on-channel"
        assert await world.said() == ["Sorry.", "Paid: n1"]

    async def test_two_contacts_with_one_external_id_are_one_person(self, world: EngineWorld) -> None:
        await world.say("/report", channel=TELEGRAM, profile={"name": "Hugo"})
        await world.send("contact_update", channel=TELEGRAM, profile={"external_id": "crm-7"})
        await world.say("hello?", "visitor", profile={"city": "Riga"})
        await world.send("contact_update", "visitor", profile={"external_id": "crm-7"}, variables={"age": 30})
        await world.say("/start", "visitor")
        assert (await world.said("visitor"))[-1] == "Which lecture, Hugo?"
        person = await world.contact("visitor")
        assert person == await world.contact(channel=TELEGRAM)
        assert (person.profile, person.tags) == ({"name": "Hugo", "city": "Riga", "external_id": "crm-7"}, ["vip"])
        assert person.variables == {"points": 7, "age": 30}

    async def test_who_is_vouched_for_is_known_from_the_first_message_on(self, world: EngineWorld) -> None:
        await world.say("/report", channel=TELEGRAM, profile={"name": "Hugo"})
        await world.send("contact_update", channel=TELEGRAM, profile={"external_id": "crm-7"})
        vouched: dict[str, Any] = {"profile": {"external_id": "crm-7", "city": "Riga"}, "verified": ["external_id"]}
        await world.say("/start", "visitor", **vouched)
        assert await world.said("visitor") == ["Which lecture, Hugo?"]
        assert len(world.events("contact.created")) == 1
        person = await world.contact(channel=TELEGRAM)
        assert person == await world.contact("visitor")
        assert (person.profile, person.variables) == (
            {"name": "Hugo", "city": "Riga", "external_id": "crm-7"}, {"points": 7}
        )  # fmt: skip

    async def test_a_generated_url_answers_its_caller_and_a_failed_command_says_why(self, world: EngineWorld) -> None:
        for number, content in enumerate(["n1", "bad"]):
            link: dict[str, Any] = {"link_id": f"link-{number}", "command": "/code", "content": content}
            await world.send("url", f"link-{number}", channel="-", **link, **asked(number))
        found = by_request(world)
        assert (found["r0"]["status"], found["r0"]["answer"]) == ("completed", "Got n1")
        assert found["r1"]["status"] == "failed"
        assert (found["r1"]["problem"]["type"], found["r1"]["problem"]["status"]) == ("command-failed", 503)
        assert found["r1"]["problem"]["detail"] == "no money"

    async def test_a_single_use_url_works_once(self, world: EngineWorld) -> None:
        for number in range(2):
            await world.send("url", "link", channel="-", single_use=True, **CODE, **asked(number))
        found = by_request(world)
        assert found["r0"]["status"] == "completed"
        assert (found["r1"]["problem"]["type"], found["r1"]["problem"]["status"]) == ("link-gone", 404)

    async def test_a_command_for_another_person_comes_to_them(self, world: EngineWorld) -> None:
        await world.say("hello?", "p9")
        await world.send("url", content="tell", link_id="l", command="/code")
        assert await world.said(peer="p9") == ["Sorry."]
        assert await world.said() == []
        await world.say("hello?")
        await world.send("url", content="tell", link_id="l", command="/code")
        assert await world.said(peer="p9") == ["Sorry.", "Which lecture, ?"]
        assert await world.said() == ["Sorry.", "Got tell"]

    async def test_a_webhook_step_carries_the_contact_as_it_was_at_that_step(self, world: EngineWorld) -> None:
        await world.say("/report", profile={"name": "Anna"})
        (post,) = world.bodies("actions")
        assert (post["kind"], post["title"], post["url"], post["tells_engine"]) == (
            "post_webhook",
            "Points 7",
            "https://crm.example.com/hook",
            True,
        )
        assert post["data"]["contact"]["variables"] == {"points": 7}
        assert post["data"]["contact"]["tags"] == ["vip"]
        assert (post["data"]["flow"]["slug"], post["data"]["node"]) == ("report", "send")
        (pushed,) = world.events("profile.pushed")
        assert pushed["contact"]["name"] == "Anna"
        assert [event["tag"] for event in world.events("tag.added")] == ["vip"]
        assert world.events("contact.updated")[0]["changed"] == ["variables.points"]
        person = await world.contact()
        assert (person.variables, person.tags) == ({"points": 7}, ["vip"])

    async def test_another_program_changes_a_contact(self, world: EngineWorld) -> None:
        await world.say("hello?", profile={"name": "Anna", "city": "Riga"})
        change: dict[str, Any] = {
            "profile": {"phone": "+371"},
            "variables": {"age": 30, "x\x00": "a\x00b"},
            "add_tags": ["new"],
        }
        await world.send("contact_update", **change)
        assert len(world.events("contact.updated")) == 1
        person = await world.contact()
        assert person.profile == {"name": "Anna", "city": "Riga", "phone": "+371"}
        assert (person.variables, person.tags) == ({"age": 30, "x": "ab"}, ["new"])
        await world.send("contact_update", variables={"age": None}, remove_tags=["new"])
        assert [event["tag"] for event in world.events("tag.removed")] == ["new"]
        person = await world.contact()
        assert (person.variables, person.tags) == ({"x": "ab"}, [])

    async def test_a_change_of_somebody_who_never_wrote_is_refused(self, world: EngineWorld) -> None:
        event = await world.send("contact_update", variables={"age": 30})
        assert world.out("events") == []
        assert (await world.logged(event)).parts[0]["problem"]["type"] == "contact-not-found"

    async def test_reachability_is_told_when_it_is_news(self, world: EngineWorld) -> None:
        await world.say("hello?")
        for state in ("blocked", "blocked", "subscribed", "not_in_chat"):
            await world.send("reachability", state=state, reason="my_chat_member")
        types = [body["type"] for body in world.bodies("events")]
        assert [type for type in types if type.startswith("bot.")] == [
            "bot.subscribed",
            "bot.blocked",
            "bot.subscribed",
        ]
        assert world.events("bot.blocked")[0]["reason"] == "my_chat_member"
        await world.send("reachability", "p2", state="blocked", profile={"name": "Ben"})
        assert (await world.contact("p2")).profile == {"name": "Ben"}

    async def test_a_turn_past_its_limits_fails_and_the_next_one_works(self, world: EngineWorld) -> None:
        await world.say("/huge")
        (failed,) = world.events("flow.failed")
        assert failed["error"]["type"] == "too-large"
        assert await world.said() == []
        await world.say("/start")
        assert await world.said() == ["Which lecture, ?"]

    async def test_an_event_that_does_not_fit_and_moves_no_session_ends_none(self, world: EngineWorld) -> None:
        await world.say("/start")
        await world.send("contact_update", variables={"long": "x" * 70_000}, **asked(1, until="verdict"))
        (refused,) = replies(world)
        assert (refused["status"], refused["problem"]["type"]) == ("rejected", "too-large")
        assert world.events("flow.failed") == []
        assert (await world.contact()).variables == {}
        await world.say("Kafka")
        assert await world.said() == ["Which lecture, ?", "Kafka it is."]

    async def test_an_event_too_many_hops_from_its_cause_is_refused(self, world: EngineWorld) -> None:
        await world.say("/start", hops=17)
        (failed,) = world.events("flow.failed")
        assert failed["error"]["type"] == "too-many-hops"
        assert await world.said() == []
        await world.say("/start", hops=16)
        assert await world.said() == ["Which lecture, ?"]

    async def test_a_loop_of_timers_ends_with_the_flow_that_is_deleted_by_force(self, world: EngineWorld) -> None:
        """Seen: a flow that was deleted went on for those who stood on it, for ever where it is a loop."""
        await world.say("/later")
        await world.settle()
        entity = next(e for e in world.view.all("flow_version", PROJECT) if "wait" in e.document["nodes"])
        world.view.delete("flow", entity.flow_id, PROJECT)
        world.view.put(entity.model_copy(update={"ended": True}))
        assert await world.timers.fire_due() >= 0
        await world.settle()
        assert await world.said() == ["Soon."]
        assert [event["error"]["type"] for event in world.events("flow.failed")] == ["version-gone"]
        loaded = (await world.stored()).loaded
        assert loaded is not None
        assert loaded.conversation.session is None
