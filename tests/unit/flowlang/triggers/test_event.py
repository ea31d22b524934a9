"""Events as a way into a flow: which there are, what a condition sees, and where the flow begins."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.event_types import EVENTS
from flowlang.language.check import check
from flowlang.triggers.event import EventName
from support.dialogue import Dialogue, document

SAY = {"type": "say", "parts": [{"text": "{{ event.type }} {{ event.tag }}"}]}
ASK = {"type": "ask", "text": "?", "input": {"type": "text"}, "ports": {"ok": "say"}}


def on(name: str, **more: Any) -> dict[str, Any]:
    return {"id": "on", "type": "event", "name": name, "to": "say", **more}


def talk(*triggers: dict[str, Any]) -> Dialogue:
    return Dialogue(document({"ask": ASK, "say": SAY}, list(triggers)))


def test_each_is_told_of_a_conversation() -> None:
    assert {EVENTS[name].key for name in get_args(EventName) if name != "delivery.exhausted"} == {"conversation"}


def test_a_name_that_is_none_is_refused() -> None:
    for name in ("message.received", "live_chat.opened", "tag"):
        found = check(document({"say": SAY}, [on(name)]))
        assert [problem.pointer for problem in found] == ["/triggers/1/name"]


def test_a_condition_sees_the_data() -> None:
    t = talk(on("tag.added", when="event.tag == 'vip' && event.type == 'tag.added'"))
    t.event("event", type="tag.added", tag="other")
    assert (t.texts, t.turn.steps) == ([], [])
    t.event("event", type="tag.added", tag="vip")
    assert t.texts == ["tag.added vip"]
    assert t.event_data("flow.launched") == {"trigger": {"id": "on", "type": "event"}}


def test_a_question_that_waits_is_not_answered_by_it() -> None:
    t = talk(on("tag.added"))
    t.say("/go")
    t.event("event", type="tag.added", tag="a")
    assert (t.texts, t.waits_at) == (["tag.added a"], "ask")
    t.event("event", type="tag.removed", tag="a")
    assert (t.turn.effects, t.waits_at) == ([], "ask")


def test_agents_are_not_disturbed() -> None:
    t = talk(on("tag.added"))
    t.conversation.owner = "queued"
    t.event("event", type="tag.added", tag="a")
    assert t.turn.effects == []


@pytest.mark.parametrize("opted_out", [False, True])
def test_it_writes_to_nobody_who_has_unsubscribed(opted_out: bool) -> None:
    t = talk(on("tag.added"))
    t.conversation.opted_out = opted_out
    t.event("event", type="tag.added", tag="a")
    assert bool(t.texts) is not opted_out
    t.say("/go")  # What they begin themselves is answered.
    assert t.texts == ["?"]


def test_a_flow_is_not_begun_by_what_became_of_itself() -> None:
    t = talk(on("flow.completed"))
    t.event("event", type="flow.completed", flow={"id": "f1"})
    assert t.texts == []
    t.event("event", type="flow.completed", flow={"id": "f2"})
    assert t.texts == ["flow.completed "]


@given(st.lists(st.sampled_from(["tag.added", "tag.removed", "flag.assigned"]), max_size=5), st.integers(0, 4))
def test_the_first_that_listens_takes_it_and_no_other(names: list[str], place: int) -> None:
    triggers = [{**on(name), "id": f"t{index}"} for index, name in enumerate(names)]
    t, happened = talk(*triggers), (names or ["tag.added"])[place % max(len(names), 1)]
    t.event("event", type=happened, tag="x")
    assert len(t.texts) == (happened in names)
    if names:
        assert t.event_data("flow.launched")["trigger"]["id"] == f"t{names.index(happened)}"
