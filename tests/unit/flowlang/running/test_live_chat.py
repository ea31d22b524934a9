"""Live chat: who owns the conversation, and what happens to it while that is not the bot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.registry import OptOut
from flowlang.model import CallApi, CancelTimer, Say, StartTimer, SupersedeMessages
from flowlang.running.bot_flows import BotFlows

KIM, LEE = {"id": "a1", "name": "Kim"}, {"id": "a2", "name": "Lee"}


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "say", "parts": [{"text": text}], **more}


NODES = {
    "desk": {
        "type": "live_chat",
        "queue": "Sales for {{ user.name }}",
        "text": "A colleague is coming.",
        "timeout": "PT5M",
        "ports": {"closed": "back", "timeout": "nobody"},
    },
    "back": say("I am back."),
    "nobody": say("Nobody is here."),
    "question": {
        "type": "ask",
        "text": "Which?",
        "input": {"type": "text", "save_to": "memory.which"},
        "timeout": "PT1H",
        "ports": {"ok": "chosen", "timeout": "nobody"},
    },
    "chosen": say("You chose {{ memory.which }}."),
    "call": {"type": "call_api", "api": "x", "ports": {"ok": "called", "error": "nobody"}},
    "called": say("Called."),
    "paid": {"type": "wait_event", "name": "paid", "ports": {"event": "called"}},
}
TRIGGERS = [
    {"id": name, "type": "command", "value": f"/{name}", "to": name} for name in ("question", "call", "paid")
] + [{"id": "hook", "type": "webhook", "to": "chosen"}]


@pytest.fixture
def t(talk: Any) -> Any:
    return talk(NODES, TRIGGERS)


def owner(t: Any, to: str, by: dict[str, str], agent: dict[str, str] | None = None) -> Any:
    return t.event("owner", to=to, by=by, agent=agent)


def refused(t: Any) -> tuple[str, int, str | None] | None:
    return t.turn.refused and (t.turn.refused.type, t.turn.refused.status, t.turn.refused.reason)


def test_the_node_tells_the_person_hands_over_and_waits(t: Any) -> None:
    t.say("/go")
    assert t.texts == ["A colleague is coming."]
    assert (t.conversation.owner, t.conversation.owner_epoch, t.conversation.queue) == ("queued", 1, "Sales for Ann")
    assert t.event_data("live_chat.opened") == {"by": "flow", "queue": "Sales for Ann"}
    assert t.effects(SupersedeMessages) == [], "what it has just said is to be sent"
    assert t.conversation.queue_timer in [timer.wait for timer in t.effects(StartTimer)]


def test_the_persons_messages_reach_no_flow_while_people_answer(t: Any) -> None:
    t.say("/go")
    t.say("/go")
    assert (t.texts, t.waits_at, t.conversation.unread) == ([], "desk", 1)
    assert [end.status for end in t.turn.rests] == ["completed"]


def test_an_agent_takes_over_answers_and_gives_back(t: Any) -> None:
    t.say("/go")
    waiting = t.conversation.queue_timer
    owner(t, "agent", KIM)
    assert (t.conversation.owner, t.conversation.owner_epoch) == ("a1", 2)
    assert len(t.effects(SupersedeMessages)) == 1
    assert waiting in [timer.wait for timer in t.effects(CancelTimer)]
    assert t.events == []
    t.event("agent_message", text="Hello, I am Kim.", agent=KIM)
    assert [(said.text, said.agent, said.seq) for said in t.effects(type(t.turn.effects[0]))] == [
        ("Hello, I am Kim.", KIM, 2)
    ]
    owner(t, "bot", KIM)
    assert t.texts == ["I am back."]
    assert t.event_data("live_chat.closed") == {"reason": "released", "agent": KIM}
    assert (t.conversation.owner, t.conversation.owner_epoch, t.conversation.queue) == ("bot", 3, None)


def test_of_two_agents_the_first_has_it_and_the_other_hears_who(t: Any) -> None:
    t.say("/go")
    owner(t, "agent", KIM)
    owner(t, "agent", LEE)
    assert refused(t) == ("already-taken", 409, "a1")
    assert "Kim" in t.turn.refused.detail
    assert (t.conversation.owner, t.conversation.owner_epoch) == ("a1", 2)
    t.event("agent_message", text="x", agent=LEE)
    assert refused(t) == ("already-taken", 409, "a1")
    owner(t, "bot", LEE)
    assert refused(t) == ("already-taken", 409, "a1")


def test_taking_over_again_what_one_has_changes_nothing(t: Any) -> None:
    owner(t, "agent", KIM)
    owner(t, "agent", KIM)
    assert (refused(t), t.conversation.owner_epoch, t.turn.effects) == (None, 1, [])


def test_an_agent_takes_it_from_the_bot_and_the_question_waits_on(t: Any) -> None:
    t.say("/question")
    owner(t, "agent", KIM)
    assert t.event_data("live_chat.opened") == {"by": "agent", "agent": KIM}
    t.say("tea")
    assert t.texts == []
    owner(t, "bot", KIM)
    assert (t.texts, t.waits_at) == ([], "question")
    t.say("coffee")
    assert t.texts == ["You chose coffee."]


def test_a_calls_answer_that_comes_meanwhile_is_taken_on_release(t: Any) -> None:
    t.say("/call")
    assert len(t.effects(CallApi)) == 1
    owner(t, "agent", KIM)
    t.api_answers({"memory": {}})
    assert t.texts == []
    owner(t, "bot", KIM)
    assert t.texts == ["Called."]


def test_a_timer_that_fires_meanwhile_is_taken_on_release(t: Any) -> None:
    t.say("/question")
    owner(t, "agent", KIM)
    t.fire()
    assert (t.texts, t.waits_at) == ([], "question")
    owner(t, "bot", KIM)
    assert t.texts == ["Nobody is here."]


def test_a_signal_that_comes_meanwhile_is_taken_on_release_if_it_is_waited_for(t: Any) -> None:
    t.say("/paid")
    owner(t, "agent", KIM)
    t.event("signal", name="other", data={})
    t.event("signal", name="paid", data={})
    assert [event["data"]["name"] for event in t.conversation.queued] == ["paid"]
    owner(t, "bot", KIM)
    assert t.texts == ["Called."]


def test_a_message_that_waited_for_a_call_is_left_to_the_people(t: Any) -> None:
    t.say("/call")
    t.say("/question")
    asked = f"e{t.count}"
    owner(t, "agent", KIM)
    assert asked in [end.cause for end in t.turn.rests]
    t.api_answers({"memory": {}})
    owner(t, "bot", KIM)
    assert t.texts == ["Called."]


def test_a_session_whose_time_is_over_by_then_ends_on_release(t: Any) -> None:
    t.say("/go")
    owner(t, "agent", KIM)
    t.now = "2026-12-21T12:00:00Z"
    t.say("hello?")
    assert t.events == []
    owner(t, "bot", KIM)
    assert (t.texts, t.events) == ([], ["live_chat.closed", "session.expired"])


def test_nothing_starts_while_people_answer(t: Any) -> None:
    owner(t, "agent", KIM)
    t.start("hook")
    assert refused(t) == ("with-an-agent", 409, None)
    t.event("command", command="/question", content=None)
    assert refused(t) == ("with-an-agent", 409, None)


def test_the_time_out_gives_it_back_to_the_bot(t: Any) -> None:
    t.say("/go")
    t.fire(t.conversation.queue_timer)
    assert t.texts == ["Nobody is here."]
    assert t.event_data("live_chat.closed") == {"reason": "timeout"}
    assert (t.conversation.owner, t.conversation.owner_epoch) == ("bot", 2)
    assert t.effects(SupersedeMessages) == []


@pytest.mark.parametrize("reason", ["its flow version is gone", "its time is over", "it failed"])
def test_the_time_out_gives_it_back_whatever_became_of_the_session(t: Any, reason: str) -> None:
    t.say("/go")
    if reason == "its flow version is gone":
        t.flows = BotFlows([])
    elif reason == "its time is over":
        t.now = "2026-12-21T12:00:00Z"
    else:
        t.conversation.session = None
    t.fire(t.conversation.queue_timer)
    assert (t.conversation.owner, t.texts, t.conversation.session) == ("bot", [], None)
    assert t.event_data("live_chat.closed") == {"reason": "timeout"}


def test_a_time_out_that_comes_after_the_take_over_does_nothing(t: Any) -> None:
    t.say("/go")
    timer = t.conversation.queue_timer
    owner(t, "agent", KIM)
    owner(t, "queue", KIM)
    t.fire(timer)
    assert (t.conversation.owner, t.turn.effects) == ("queued", [])


def test_who_is_assigned_has_the_time_that_is_left_until_they_write(t: Any) -> None:
    t.say("/go")
    owner(t, "agent", LEE, KIM)
    assert (t.conversation.owner, t.effects(CancelTimer)) == ("a1", [])
    t.event("agent_message", text="Hi", agent=KIM)
    assert len(t.effects(CancelTimer)) == 1


def test_an_assigned_agent_who_does_not_answer_loses_it_to_the_bot(t: Any) -> None:
    t.say("/go")
    owner(t, "agent", LEE, KIM)
    t.fire(t.conversation.queue_timer)
    assert (t.conversation.owner, t.texts) == ("bot", ["Nobody is here."])
    t.event("agent_message", text="Hi", agent=KIM)
    assert refused(t) == ("not-your-conversation", 409, None)


def test_an_agent_gives_it_to_another_one(t: Any) -> None:
    owner(t, "agent", KIM)
    owner(t, "agent", KIM, LEE)
    assert (t.conversation.owner, t.conversation.owner_name) == ("a2", "Lee")
    owner(t, "agent", KIM, KIM)
    assert refused(t) == ("already-taken", 409, "a2")


def test_who_takes_it_from_an_agent_who_cannot_act_any_more_has_it_for_as_long_as_it_takes(t: Any) -> None:
    t.say("/go")
    owner(t, "agent", KIM, LEE)
    t.say("Is anybody there?")
    t.event("owner", to="agent", by=KIM, agent=None, instead_of="somebody else")
    assert refused(t) == ("already-taken", 409, "a2")
    t.event("owner", to="agent", by=KIM, agent=None, instead_of="a2")
    assert (t.conversation.owner, t.conversation.unread, len(t.effects(CancelTimer))) == ("a1", 0, 1)


def test_a_note_and_having_read_leave_the_bot_its_conversation(t: Any) -> None:
    t.say("/question")
    t.event("agent_note")
    t.event("agent_read")
    assert (t.turn.effects, t.waits_at, [end.status for end in t.turn.rests]) == ([], "question", ["completed"])


def test_releasing_what_the_bot_has_is_refused(t: Any) -> None:
    owner(t, "bot", KIM)
    assert refused(t) == ("not-your-conversation", 409, None)


def test_an_agent_cannot_write_to_who_blocked_the_bot(t: Any) -> None:
    owner(t, "agent", KIM)
    t.conversation.reachable = "blocked"
    t.event("agent_message", text="Hi", agent=KIM)
    assert refused(t) == ("peer-not-reachable", 409, "blocked")


def test_a_word_to_unsubscribe_counts_and_is_left_to_the_agent(t: Any) -> None:
    t.tools = replace(t.tools, opt_out=OptOut())
    t.say("/go")
    t.say("stop")
    assert (t.texts, t.waits_at, t.conversation.opted_out, t.events) == ([], "desk", True, ["bot.unsubscribed"])
    t.say("subscribe")
    assert (t.texts, t.conversation.opted_out, t.events) == ([], False, ["bot.subscribed"])


def test_an_agent_may_write_to_who_has_unsubscribed(t: Any) -> None:
    t.tools = replace(t.tools, opt_out=OptOut())
    t.say("stop")
    owner(t, "agent", KIM)
    t.event("agent_message", text="Your refund is on its way.", agent=KIM)
    assert (t.texts, refused(t), t.conversation.opted_out) == (["Your refund is on its way."], None, True)


def test_notify_agent_tells_and_goes_on(talk: Any) -> None:
    t = talk(
        {"tell": {"type": "notify_agent", "text": "{{ user.name }} waits", "ports": {"next": "end"}}, "end": say("x")}
    )
    t.say("/go")
    assert (t.event_data("agent.notified"), t.texts) == ({"text": "Ann waits"}, ["x"])


def test_nobody_is_handed_to_agents(talk: Any) -> None:
    url = [{"id": "u", "type": "command", "value": "/url", "from": ["url"], "to": "desk"}]
    t = talk(NODES, url, nobody=True)
    t.event("url", command="/url", content=None, content_raw="", options={})
    assert t.conversation.owner == "bot"
    assert t.turn.rests[-1].error_type == "no-person"


def test_an_agent_sends_files_and_places_as_the_channel_shows_them(t: Any) -> None:
    media, place = {"type": "image", "url": "https://a.example/b.png"}, {"latitude": 1.5, "longitude": 2.5}
    t.say("/go")
    owner(t, "agent", KIM)
    t.event("agent_message", text="Look", media=media, agent=KIM)
    (said,) = t.effects(Say)
    assert (said.text, said.media, said.agent) == ("Look", media, KIM)
    t.tools.channel["shows"] = frozenset(("image",))
    t.event("agent_message", text="Here", location=place, agent=KIM)
    first, second = t.effects(Say)
    assert (first.text, first.agent, second.agent, second.degraded) == ("Here", KIM, KIM, ("location",))
    assert second.seq == first.seq + 1
