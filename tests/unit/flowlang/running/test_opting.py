"""Unsubscribing by a word or a node, what it forbids and allows, and how a person comes back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from contracts.registry import OptOut
from flowlang.model import CancelTimer

NODES = {
    "ask": {
        "type": "ask", "text": "Which size?", "input": {"type": "text", "save_to": "memory.size"}, "timeout": "PT1H",
        "ports": {"ok": "done"},
    },
    "done": {"type": "say", "parts": [{"text": "Size {{ memory.size }}"}]},
    "call": {"type": "call_api", "api": "x", "ports": {"ok": "done"}},
    "leave": {"type": "unsubscribe", "ports": {"next": "bye", "error": "bye"}},
    "bye": {"type": "say", "parts": [{"text": "No more news."}]},
    "hello": {"type": "say", "parts": [{"text": "Hello"}]},
}  # fmt: skip
TRIGGERS = [
    {"id": "paid", "type": "webhook", "to": "hello"},
    {"id": "calling", "type": "command", "value": "/call", "to": "call"},
    {"id": "leaving", "type": "command", "value": "/leave", "to": "leave"},
    {"id": "stopping", "type": "command", "value": "stop", "to": "hello"},
    {"id": "starting", "type": "command", "value": "/start", "to": "hello"},
]


def talking(talk: Any, words: OptOut | None = OptOut(), **options: Any) -> Any:  # noqa: B008 - frozen
    t = talk(NODES, TRIGGERS, **options)
    t.tools = replace(t.tools, opt_out=words)
    return t


@pytest.mark.parametrize(
    "word", ["stop", " STOP ", "Unsubscribe", "cafe\u0301", "Du\u031b\u0300ng", "\uff53\uff54\uff4f\uff50"]
)
def test_a_word_unsubscribes_before_a_command_and_the_question_that_waits(talk: Any, word: str) -> None:
    t = talking(talk, OptOut(words=(*OptOut().words, "caf\u00e9", "d\u1eebng")))
    t.say("/go")
    t.say(word)
    assert t.texts == [OptOut().text]
    assert t.events == ["session.expired", "bot.unsubscribed"]
    assert t.event_data("bot.unsubscribed") == {"reason": "opted-out"}
    assert t.conversation.opted_out
    assert t.conversation.session is None
    assert t.effects(CancelTimer)
    assert (t.ends[f"e{t.count}"], t.turn.rests[-1].answer) == ("completed", OptOut().text)


def test_a_word_unsubscribes_while_a_call_is_in_flight_and_its_answer_is_late(talk: Any) -> None:
    t = talking(talk)
    t.say("/call")
    token = t.token
    t.say("a message that is queued")
    t.say("stop")
    assert t.ends["e2"] == "completed"
    assert (t.texts, t.conversation.queued) == ([OptOut().text], [])
    t.api_answers(wait=token)
    assert t.texts == []


def test_a_sentence_with_the_word_in_it_is_none(talk: Any) -> None:
    t = talking(talk)
    t.say("/go")
    t.say("stop it")
    assert t.texts == ["Size stop it"]


def test_a_bot_without_words_takes_them_for_what_they_are(talk: Any) -> None:
    t = talking(talk, None)
    t.say("stop")
    assert (t.texts, t.conversation.opted_out) == (["Hello"], False)


def test_in_a_group_nobody_speaks_for_the_others(talk: Any) -> None:
    t = talking(talk)
    t.conversation.chat = "group"
    t.say("stop")
    assert not t.conversation.opted_out


def test_who_says_it_twice_is_answered_twice_and_told_of_once(talk: Any) -> None:
    t = talking(talk)
    t.say("stop")
    t.say("stop")
    assert (t.texts, t.events) == ([OptOut().text], [])


def test_what_the_person_begins_is_answered_and_keeps_them_unsubscribed(talk: Any) -> None:
    t = talking(talk)
    t.say("stop")
    t.say("/go")
    t.say("L")
    assert t.texts == ["Size L"]
    assert t.conversation.opted_out
    assert t.conversation.reachable == "subscribed"


@pytest.mark.parametrize("begin", ["start", "command"])
def test_nobody_else_begins_with_who_has_unsubscribed(talk: Any, begin: str) -> None:
    t = talking(talk)
    t.say("stop")
    if begin == "start":
        t.start("paid")
    else:
        t.event("command", command="/go", content=None)
    refused = t.turn.refused
    assert (refused.type, refused.status, refused.reason) == ("peer-not-reachable", 409, "messages-not-allowed")
    assert "unsubscribed" in refused.detail
    assert t.texts == []


@pytest.mark.parametrize(
    ("word", "texts"), [("subscribe", [OptOut().back_text]), ("/start", ["Hello"]), ("/start@bot 17", ["Hello"])]
)
def test_a_person_comes_back(talk: Any, word: str, texts: list[str]) -> None:
    t = talking(talk)
    t.say("stop")
    t.say(word)
    assert t.texts == texts
    assert t.event_data("bot.subscribed") == {"reason": "opted-in"}
    assert not t.conversation.opted_out
    t.start("paid")
    assert t.texts == ["Hello"]


def test_a_word_that_brings_back_is_like_any_other_for_who_is_there(talk: Any) -> None:
    t = talking(talk)
    t.say("/go")
    t.say("subscribe")
    assert t.texts == ["Size subscribe"]


def test_the_node_unsubscribes_and_the_flow_goes_on(talk: Any) -> None:
    t = talking(talk, None)
    t.say("/leave")
    assert t.texts == ["No more news."]
    assert t.event_data("bot.unsubscribed") == {"reason": "opted-out"}
    assert t.conversation.opted_out
    t.say("/leave")
    assert (t.texts, "bot.unsubscribed" in t.events) == (["No more news."], False)
    t.say("/start")
    assert not t.conversation.opted_out


def test_the_node_without_a_person_leaves_by_error(talk: Any) -> None:
    t = talking(talk, None, nobody=True)
    t.event("url", command="/leave", content=None, content_raw="", options={})
    assert t.turn.steps[0]["error"]["type"] == "no-person"
