"""Taps on buttons that carry a payload: who takes them, from where, and how often."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from support.dialogue import Dialogue, document

BUY = {"id": "buy", "type": "button", "payload": "buy", "to": "bought"}
ORDER = {"id": "order", "type": "button", "prefix": "order:", "to": "ordered"}
LOST = {"id": "lost", "type": "no_match", "to": "lost"}
MENU = {
    "type": "say",
    "parts": [{
        "text": "What?",
        "buttons": [
            {"id": "b", "title": "Buy", "payload": "buy"},
            {"id": "o", "title": "Order", "payload": "order:{{ user.name }}"},
            {"id": "x", "title": "Else", "payload": "nobody"},
        ],
    }],
}  # fmt: skip
NODES = {
    "menu": MENU,
    "ask": {"type": "ask", "text": "Name?", "input": {"type": "text", "save_to": "memory.name"}, "ports": {"ok": "hi"}},
    "hi": {"type": "say", "parts": [{"text": "Hi {{ memory.name }}"}]},
    "bought": {"type": "say", "parts": [{"text": "Bought by {{ event.text }}"}]},
    "ordered": {"type": "say", "parts": [{"text": "Ordered {{ event.content }}"}]},
    "lost": {"type": "say", "parts": [{"text": "What is {{ event.text }}?"}]},
}
ASK = {"id": "q", "type": "command", "value": "/ask", "to": "ask"}


@pytest.fixture
def t() -> Dialogue:
    return Dialogue(document(NODES, [ORDER, BUY, LOST, ASK]))


def other(slug: str, nodes: dict[str, Any], triggers: list[dict[str, Any]]) -> dict[str, Any]:
    return {**document(nodes), "slug": slug, "triggers": triggers}


def test_a_payload_finds_its_trigger_and_a_prefix_gives_the_rest(t: Dialogue) -> None:
    t.say("/go")
    shown = t.payloads
    t.say("Buy", type="choice", payload=shown["Buy"])
    assert t.texts == ["Bought by Buy"]
    assert t.event_data("flow.launched") == {"trigger": {"id": "buy", "type": "button"}}
    t.say("/go")
    t.say(None, type="choice", payload=t.payloads["Order"])
    assert t.texts == ["Ordered Ann"]


def test_a_second_tap_on_a_message_does_nothing(t: Dialogue) -> None:
    t.say("/go")
    shown = t.payloads
    t.say(None, type="choice", payload=shown["Buy"])
    for title in ("Buy", "Order"):
        t.say(None, type="choice", payload=shown[title])
        assert t.texts == []
        assert t.turn.steps == [{"node": None, "type": "tap", "port": "late"}]


def test_a_payload_that_no_trigger_has_leaves_the_title_as_the_message(t: Dialogue) -> None:
    t.say("/go")
    t.say(None, type="choice", payload=t.payloads["Else"])
    assert t.texts == ["What is Else?"]


def test_the_trigger_may_stand_in_any_flow_of_the_bot(t: Dialogue) -> None:
    sender = other("sender", {"menu": MENU}, [{"id": "go", "type": "command", "value": "/menu", "to": "menu"}])
    taker = other("taker", {"bought": NODES["bought"]}, [BUY])
    t = Dialogue(sender, taker)
    t.start()  # As a broadcast does, and POST /v1/run.
    t.say(None, type="choice", payload=t.payloads["Buy"])
    assert t.texts == ["Bought by Buy"]


def test_a_program_sends_a_choice_with_the_payload_itself(t: Dialogue) -> None:
    t.say(None, type="choice", payload="order:17")
    assert t.texts == ["Ordered 17"]


@pytest.mark.parametrize("type", ["text", "event"])
def test_a_payload_that_is_of_no_tap_is_none(t: Dialogue, type: str) -> None:
    """A link to the bot, `/start buy`, has one; so have events of a page."""
    t.say("/begin buy", type=type, payload="buy")
    assert t.texts == ["What is /begin buy?"]


def test_a_command_and_the_question_that_waits_come_before_it(t: Dialogue) -> None:
    t.say("/go")
    shown = t.payloads
    t.say("/ask")
    t.say(None, type="choice", payload=shown["Buy"])
    assert t.texts == ["Hi Buy"]
    t.say("/ask", type="choice", payload="buy")
    assert t.texts == ["Name?"]


def test_it_comes_before_keywords_events_and_any_message() -> None:
    word = {"id": "w", "type": "keyword", "any": ["buy"], "to": "lost"}
    t = Dialogue(document(NODES, [{"id": "any", "type": "any_message", "to": "lost"}, word, BUY]))
    t.say("buy", type="choice", payload="buy")
    assert t.texts == ["Bought by buy"]


def test_one_with_a_condition_comes_first_and_is_passed_by_where_it_is_not_true() -> None:
    vip = {**ORDER, "id": "vip", "prefix": "b", "when": "event.payload == 'buy' && 'vip' in user.tags", "to": "hi"}
    t = Dialogue(document(NODES, [BUY, vip]))
    t.say(None, type="choice", payload="buy")
    assert t.texts == ["Bought by "]
    t.contact.tags.append("vip")
    t.say(None, type="choice", payload="buy")
    assert t.texts == ["Hi "]


def test_the_title_on_a_reply_keyboard_is_a_tap_and_is_used_once(t: Dialogue) -> None:
    """Such keyboards send titles; a message with the same title, shown before, is not used by it."""
    t.say("/go")
    t.say("/go")
    older, newest = t.conversation.taps
    t.say("BUY")
    assert t.texts == ["Bought by Buy"]
    assert set(t.conversation.taps) == {older}
    assert newest not in t.conversation.taps


def test_it_runs_like_a_call_from_where_the_conversation_waits() -> None:
    """If its path ends the wait goes on; if it comes to a wait of its own, the older one is over."""
    wait = {"type": "wait_event", "name": "paid", "timeout": "P1D", "ports": {"event": "hi"}}
    nodes = {"wait": wait, **NODES}
    t = Dialogue(document(nodes, [BUY, {**ORDER, "to": "ask"}]))
    t.say("/go")
    t.say(None, type="choice", payload="buy")
    assert (t.texts, t.waits_at) == (["Bought by "], "wait")
    t.say(None, type="choice", payload="order:1")
    assert (t.texts, t.waits_at, t.conversation.stack) == (["Name?"], "ask", [])
    assert "session.expired" in t.events
    t.event("signal", name="paid", data={})
    assert t.texts == []


@pytest.mark.parametrize("payload", ["~1.x", "", "{{ event.content }}"])
def test_a_payload_that_cannot_be_one_is_an_error_of_the_node(payload: str) -> None:
    buttons = [{"id": "b", "title": "Buy", "payload": "{{ user.pay }}"}]
    nodes = {"a": {"type": "say", "parts": [{"text": "x", "buttons": buttons}], "ports": {"error": "sorry"}}}
    t = Dialogue(document({**nodes, "sorry": {"type": "say", "parts": [{"text": "Sorry"}]}}))
    t.contact.variables["pay"] = payload if payload != "{{ event.content }}" else "x" * 201
    t.say("/go")
    assert t.texts == ["Sorry"]


def codes(raw: dict[str, Any], known: KnownNames | None = None) -> dict[str, str]:
    return {problem.pointer: problem.code for problem in check(raw, known) if problem.severity == "error"}


def test_what_is_wrong_with_it_is_found() -> None:
    assert codes(document({"a": MENU}, [{"id": "b", "type": "button", "to": "a"}])) == {"/triggers/1": "value-error"}
    both = {"id": "b", "type": "button", "payload": "a", "prefix": "b", "to": "a"}
    assert codes(document({"a": MENU}, [both])) == {"/triggers/1": "value-error"}
    ours = {"id": "b", "type": "button", "payload": "~1.x", "to": "a"}
    assert codes(document({"a": MENU}, [ours])) == {"/triggers/1/payload": "string-pattern-mismatch"}
    leading = {"text": "x", "buttons": [{"id": "b", "title": "B", "payload": "p", "to": "a"}]}
    assert codes(document({"a": {"type": "say", "parts": [leading]}})) == {"/nodes/a/parts/0/buttons/0": "button"}


def test_two_equal_payloads_of_a_bot_are_an_error_unless_one_has_a_condition() -> None:
    raw = document({"a": MENU}, [{**BUY, "to": "a"}, {**BUY, "id": "again", "to": "a"}])
    assert codes(raw) == {"/triggers/2/payload": "payload-taken"}
    raw["triggers"][2]["when"] = "true"
    assert codes(raw) == {}
    assert codes(raw, KnownNames(commands={"button buy": "shop"})) == {"/triggers/1/payload": "payload-taken"}
    assert codes(raw, KnownNames(commands={"button BUY": "shop"})) == {}


PAYLOADS = st.text("ab:", min_size=1, max_size=4)


@given(st.lists(st.tuples(st.booleans(), PAYLOADS), max_size=6), PAYLOADS)
def test_the_first_that_has_the_payload_takes_it(given: list[tuple[bool, str]], payload: str) -> None:
    triggers = [
        {"id": f"t{place}", "type": "button", "prefix" if is_prefix else "payload": value, "to": "a"}
        for place, (is_prefix, value) in enumerate(given)
    ]
    t = Dialogue(document({"a": {"type": "say", "parts": [{"text": "{{ event.content }}."}]}}, triggers))
    t.say(None, type="choice", payload=payload)
    wanted = next((one for one in given if (payload.startswith(one[1]) if one[0] else payload == one[1])), None)
    rest = payload[len(wanted[1]) :] if wanted and wanted[0] else ""
    assert t.texts == ([f"{rest}."] if wanted else [])
    if wanted:
        assert t.event_data("flow.launched")["trigger"]["id"] == f"t{given.index(wanted)}"
