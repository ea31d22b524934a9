"""What all programs of a turn may do together, and what becomes of a turn that has done it."""

from __future__ import annotations

import time
from typing import Any

from flowlang.work import MOST_OF_A_TURN, TooCostly, Work

DEAR = "{% for i in (1..2000) %}{% assign a = i %}{% endfor %}x"
"""Most of what one program may do."""


def many(count: int, text: str) -> dict[str, Any]:
    """As many nodes in a row, each of which renders the text."""
    return {
        f"n{place}": {"type": "set", "values": {"temp.x": text}, "ports": {"next": f"n{place + 1}"}} for place in range(count)
    } | {f"n{count}": {"type": "say", "parts": [{"text": "done"}]}}  # fmt: skip


def test_a_program_within_its_limit_runs(talk: Any) -> None:
    t = talk(many(3, DEAR))
    t.say("/go")
    assert t.texts == ["done"]


def test_all_programs_of_a_turn_have_a_limit_together(talk: Any) -> None:
    t = talk(many(90, DEAR))
    begun = time.thread_time()
    t.say("/go")  # Stepped twice, as each event of a dialogue is.
    assert time.thread_time() - begun < 2
    assert t.texts == []
    assert t.event_data("flow.failed")["error"]["type"] == "template"


def test_one_program_may_do_a_part_of_that_only(talk: Any) -> None:
    alone = {"type": "set", "values": {"temp.x": DEAR * 4}, "ports": {"next": "done", "error": "over"}}
    said = {name: {"type": "say", "parts": [{"text": name}]} for name in ("done", "over")}
    t = talk({"alone": alone} | said)
    t.say("/go")
    assert t.texts == ["over"]


def test_on_error_can_still_say_something(talk: Any) -> None:
    nodes = many(90, DEAR) | {"sorry": {"type": "say", "parts": [{"text": "Sorry, {{ user.name | upcase }}"}]}}
    t = talk(nodes, on_error="sorry")
    t.say("/go")
    assert t.texts == ["Sorry, ANN"]


def test_conditions_are_counted_too(talk: Any) -> None:
    branches = [{"if": "temp.list.exists(i, temp.list == [i])", "to": "yes"}] * 50
    fill = {"type": "set", "values": {"temp.list": list(range(900))}, "ports": {"next": "ask"}}
    nodes = {"fill": fill, "ask": {"type": "condition", "branches": branches, "else": "no"}}
    said = {name: {"type": "say", "parts": [{"text": name}]} for name in ("yes", "no")}
    t = talk(nodes | said)
    begun = time.thread_time()
    t.say("/go")
    assert time.thread_time() - begun < 2
    assert (t.texts, "flow.failed" in t.events) in ((["no"], False), ([], True))


def test_a_pattern_that_would_take_too_long_over_a_text_does_not_take_it(talk: Any) -> None:
    slow = {"id": "slow", "type": "keyword", "pattern": r"((\w?){50}){20}!", "to": "hello"}
    word = {"id": "word", "type": "keyword", "any": ["there"], "to": "hello"}
    hello = {"hello": {"type": "say", "parts": [{"text": "Hello"}]}}
    t = talk(hello, triggers=[slow])
    begun = time.thread_time()
    t.say("é " * 8000)
    assert time.thread_time() - begun < 0.2
    assert t.texts == []
    t.say("hi!")
    assert t.texts == ["Hello"]
    both = talk(hello, triggers=[slow, word])
    both.say("é " * 8000 + "there")
    assert both.texts == ["Hello"]


def test_an_answer_that_its_pattern_would_take_too_long_over_is_not_one(talk: Any) -> None:
    ask = {
        "type": "ask",
        "text": "?",
        "input": {"type": "text", "max_length": 16_384, "pattern": r"((\w?){50}){20}!|é.*|hi!"},
        "ports": {"ok": "hello"},
    }
    t = talk({"ask": ask, "hello": {"type": "say", "parts": [{"text": "Hello"}]}})
    t.say("/go")
    t.say("é " * 8000)
    assert "Hello" not in t.texts
    t.say("hi!")
    assert t.texts == ["Hello"]


def test_one_text_in_many_places_is_charged_in_each() -> None:
    work, text = Work(), "x" * 60_000
    work.begin()
    try:
        work.charge_for([text] * 900)
    except TooCostly:
        return
    raise AssertionError(MOST_OF_A_TURN - work.left)
