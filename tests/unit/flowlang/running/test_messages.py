"""Who takes a message, across the flows of a bot."""

from __future__ import annotations

from typing import Any

import orjson
import pytest


def flow(story: Any, slug: str, triggers: list[dict[str, Any]]) -> dict[str, Any]:
    """A flow whose triggers each say `slug trigger-id`."""
    nodes = {
        one["id"]: {"type": "say", "parts": [{"text": f"{slug} {one['id']} {{{{ event.content }}}}"}]}
        for one in triggers
    }
    made = story(nodes)
    return {**made, "slug": slug, "triggers": [{**one, "to": one["id"]} for one in triggers]}


KEYWORD = {"id": "word", "type": "keyword", "any": ["book"]}
LOST = {"id": "lost", "type": "no_match"}
ANY = {"id": "any", "type": "any_message"}
FIRST = {"id": "first", "type": "first_message"}
HELP = {"id": "help", "type": "command", "value": "/help"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/help", "b help "),
        ("/HELP", "b help "),
        ("/help@some_bot", "b help "),
        ("/help  me please ", "b help me please"),
        ("/helpme", "a lost "),
        ("please /help", "a lost "),
        ("I want to Book!", "a word "),
        ("bookkeeping", "a lost "),
        (None, "a lost "),
    ],
)
def test_commands_come_before_keywords_and_those_before_no_match(
    talk_of: Any, story: Any, text: Any, said: str
) -> None:
    t = talk_of(flow(story, "a", [LOST, KEYWORD]), flow(story, "b", [HELP]))
    t.say(text)
    assert t.texts == [said]


def test_first_message_then_any_message_then_no_match(talk_of: Any, story: Any) -> None:
    t = talk_of(flow(story, "a", [LOST]), flow(story, "b", [ANY]), flow(story, "c", [FIRST]), talked=False)
    t.say("hi")
    assert t.texts == ["c first "]
    t.say("hi")
    assert t.texts == ["b any "]


@pytest.mark.parametrize(
    ("trigger", "text", "takes"),
    [
        ({"any": ["new york"], "match": "exact"}, " New York ", True),
        ({"any": ["york"], "match": "exact"}, "New York", False),
        ({"any": ["york"], "match": "contains"}, "newyorkers", True),
        ({"any": ["привет"]}, "Ну, ПРИВЕТ!", True),
        ({"any": ["при"]}, "привет", False),
        ({"any": ["a.b"]}, "axb", False),
        ({"any": ["{2}"]}, "say {2} now", True),
        ({"pattern": "^order \\d+$"}, "order 12", True),
        ({"pattern": "^order \\d+$"}, "order x", False),
    ],
)
def test_how_keywords_match(talk_of: Any, story: Any, trigger: dict[str, Any], text: str, takes: bool) -> None:
    t = talk_of(flow(story, "a", [{"id": "k", "type": "keyword", **trigger}]))
    t.say(text)
    assert bool(t.texts) is takes


def test_a_trigger_whose_condition_is_not_true_is_passed_by(talk_of: Any, story: Any) -> None:
    vip = {**KEYWORD, "id": "vip", "when": '"vip" in user.tags'}
    broken = {**KEYWORD, "id": "broken", "when": "user.name > 1"}
    t = talk_of(flow(story, "a", [KEYWORD, broken]), flow(story, "b", [vip]))
    t.say("book")
    assert t.texts == ["a word "]
    t.contact.tags.append("vip")
    t.say("book")
    assert t.texts == ["b vip "]


def test_one_command_may_have_a_condition_and_an_equal_one_without(talk_of: Any, story: Any) -> None:
    students = {"id": "s", "type": "command", "value": "/start", "when": '"student" in user.tags'}
    t = talk_of(flow(story, "a", [{**students, "id": "all", "when": None}]), flow(story, "b", [students]))
    t.say("/start")
    assert t.texts == ["a all "]
    t.contact.tags.append("student")
    t.say("/start")
    assert t.texts == ["b s "]


def test_a_command_that_a_generated_url_runs_cannot_be_typed(talk_of: Any, story: Any) -> None:
    hidden = {"id": "hook", "type": "command", "value": "/onWebhook", "from": ["url"]}
    t = talk_of(flow(story, "a", [hidden, LOST]))
    t.say("/onWebhook")
    assert t.texts == ["a lost "]
    t.say(None, payload="/onWebhook")
    assert t.texts == ["a lost "]
    t.event("url", command="/onWebhook", content="c", content_raw="c", options={})
    assert t.texts == ["a hook c"]


def test_a_made_up_tap_does_nothing(talk_of: Any, story: Any) -> None:
    t = talk_of(flow(story, "a", [LOST]))
    for payload in ("~1.x", "~.", "~99999999999.a", "~x"):
        t.say("text", payload=payload)
    assert t.texts in ([], ["a lost "])


def test_a_message_that_nobody_takes_is_done_with(talk_of: Any, story: Any) -> None:
    t = talk_of(flow(story, "a", [HELP]))
    t.say("hello")
    assert t.turn.effects == []
    assert t.ends == {"e1": "completed"}
    assert t.conversation.last_message == "hello"


def test_two_quick_messages_are_two_turns(talk_of: Any, story: Any) -> None:
    t = talk_of(flow(story, "a", [ANY]))
    t.say("one")
    first = t.turn.effects
    t.say("two")
    assert t.conversation.version == 2
    assert first != t.turn.effects


def test_long_titles_leave_room_for_the_rest_of_a_conversation(talk: Any) -> None:
    """Past its limit a conversation would refuse each turn that adds to it."""
    buttons = [{"id": f"b{place}", "title": "{{ memory.title }}{{ event.text }}"} for place in range(20)]
    nodes = {
        "go": {"type": "ask", "text": "?", "input": {"type": "text", "save_to": "memory.title"}, "ports": {"ok": "show"}},
        "show": {"type": "say", "parts": [{"text": "Choose", "buttons": buttons}], "ports": {"next": "again", "error": "long"}},
        "again": {"type": "ask", "text": "Well?", "input": {"type": "text"}, "ports": {"ok": "show"}},
        "long": {"type": "say", "parts": [{"text": "{{ temp.error.type }}"}]},
    }  # fmt: skip
    t = talk(nodes)
    t.say("/go")
    t.say("x" * 150)
    for place in range(4):
        t.say(f"{place} {'y' * 100}")
        assert t.waits_at == "again"
        assert len(orjson.dumps(t.conversation.taps)) <= 16 * 1024
    assert len(t.conversation.taps) > 1
    kept = len(t.conversation.taps)
    t.say("z" * 1000)
    assert (t.texts, len(t.conversation.taps)) == (["buttons-too-large"], kept)
