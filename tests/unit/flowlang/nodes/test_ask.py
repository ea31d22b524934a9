"""Questions: what counts as an answer, asking again, giving up, time-outs, taps."""

from __future__ import annotations

from typing import Any

import pytest

from flowlang.building.compiler import KnownNames
from flowlang.language.check import check
from flowlang.model import Say
from support.dialogue import document


def asking(input: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ask": {"type": "ask", "text": "Well?", "input": input, "ports": {"ok": "good", "invalid": "bad"}, **more},
        "good": {"type": "say", "parts": [{"text": "Thanks: {{ memory.answer }}"}]},
        "bad": {"type": "say", "parts": [{"text": "Never mind"}]},
    }


LECTURES = {
    "type": "choice",
    "options": [{"id": "k", "title": "Kafka", "synonyms": ["queue"]}, {"id": "w", "title": "Web hooks"}],
    "save_to": "memory.answer",
}


@pytest.mark.parametrize(
    ("input", "text", "kept"),
    [
        ({"type": "text"}, "  hello ", "hello"),
        ({"type": "text", "pattern": "[A-Z]{2}\\d+"}, "AB12", "AB12"),
        ({"type": "number"}, "3,5", 3.5),
        ({"type": "number"}, "1 000", 1000),
        ({"type": "number", "integer": True, "min": 1, "max": 9}, "7", 7),
        ({"type": "email"}, "a.b+c@example.co.uk", "a.b+c@example.co.uk"),
    ],
)
def test_a_good_answer_is_kept_with_its_type(talk: Any, input: dict[str, Any], text: str, kept: Any) -> None:
    t = talk(asking({**input, "save_to": "user.answer"}))
    t.say("/go")
    t.say(text)
    assert t.contact.variables["answer"] == kept
    assert t.path == ["ask", "good"]


@pytest.mark.parametrize("text", ["Kafka", "kafka ", "k", "queue", "1"])
def test_a_choice_is_taken_by_title_id_synonym_or_place(talk: Any, text: str) -> None:
    t = talk(asking(LECTURES))
    t.say("/go")
    t.say(text)
    assert t.texts == ["Thanks: k"]


def test_an_id_wins_over_a_place_in_the_list(talk: Any) -> None:
    t = talk(asking({**LECTURES, "options": [{"id": "3", "title": "Three"}, {"id": "1", "title": "One"}]}))
    t.say("/go")
    t.say("1")
    assert t.texts == ["Thanks: 1"]


@pytest.mark.parametrize(
    ("input", "text"),
    [
        (LECTURES, "Physics"),
        ({"type": "text", "min_length": 3}, "ab"),
        ({"type": "text", "pattern": "\\d+"}, "12a"),
        ({"type": "number"}, "many"),
        ({"type": "number", "max": 5}, "6"),
        ({"type": "number", "integer": True}, "1.5"),
        ({"type": "email"}, "not an address"),
        ({"type": "email"}, "a@b"),
        ({"type": "text"}, None),
    ],
)
def test_a_wrong_answer_is_asked_again_and_then_given_up(talk: Any, input: dict[str, Any], text: str | None) -> None:
    t = talk(asking(input, retry={"text": "Again, please", "max": 1}))
    t.say("/go")
    t.say(text)
    assert t.texts == ["Again, please"]
    assert t.waits_at == "ask"
    t.say(text)
    assert t.texts == ["Never mind"]


def test_the_retry_shows_the_options_again_and_any_of_them_can_be_tapped(talk: Any) -> None:
    t = talk(asking(LECTURES))
    t.say("/go")
    first = t.payloads["Kafka"]
    t.say("nonsense")
    assert set(t.payloads) == {"Kafka", "Web hooks"}
    t.say(None, payload=first)
    assert t.texts == ["Thanks: k"]


def test_a_second_tap_on_the_same_question_does_nothing(talk: Any) -> None:
    t = talk(asking(LECTURES))
    t.say("/go")
    payload = t.payloads["Kafka"]
    t.say(None, payload=payload)
    t.say(None, payload=payload)
    assert t.turn.effects == []
    assert t.ends == {"e3": "completed"}


def test_an_option_with_a_target_is_a_port(talk: Any) -> None:
    options = [{"id": "a", "title": "A"}, {"id": "b", "title": "B", "to": "bad"}]
    t = talk(asking({"type": "choice", "options": options}))
    t.say("/go")
    t.tap("B")
    assert t.texts == ["Never mind"]


def test_a_question_times_out_by_its_timer_and_not_twice(talk: Any) -> None:
    nodes = asking(LECTURES, timeout="PT2H", ports={"ok": "good", "timeout": "bad"})
    t = talk(nodes)
    t.say("/go")
    token = t.token
    assert (token, "2026-11-21T14:00:00.000Z") in [(timer.wait, timer.due) for timer in t.timers]
    t.fire(token)
    assert t.texts == ["Never mind"]
    t.fire(token)
    assert t.turn.effects == []


def test_a_timer_after_the_answer_does_nothing(talk: Any) -> None:
    t = talk(asking(LECTURES, timeout="PT2H"))
    t.say("/go")
    token = t.token
    t.say("Kafka")
    t.fire(token)
    assert t.texts == []


def test_a_timeout_port_that_is_not_drawn_is_the_error_port(talk: Any) -> None:
    t = talk(asking({"type": "text"}, timeout="PT1M", ports={"ok": "good", "error": "bad"}))
    t.say("/go")
    t.fire()
    assert t.texts == ["Never mind"]


def test_what_a_person_writes_is_never_a_template(talk: Any) -> None:
    t = talk(asking({"type": "text", "save_to": "memory.answer"}))
    t.say("/go")
    t.say("{{ user.name }}{% for i in (1..9) %}x{% endfor %}")
    assert t.texts == ["Thanks: {{ user.name }}{% for i in (1..9) %}x{% endfor %}"]


def test_a_rendered_title_can_be_typed(talk: Any) -> None:
    t = talk(
        asking({"type": "choice", "options": [{"id": "me", "title": "{{ user.name }}"}, {"id": "no", "title": "No"}]})
    )
    t.say("/go")
    t.say("ann")
    assert t.path == ["ask", "good"]


SHARED = {"type": "contact", "phone": "4930901820", "verified": True}
NUMBER = {"type": "phone", "button": "My number, {{ user.name }}", "save_to": "user.phone"}


def shown(t: Any) -> list[tuple[str, Any, bool | None]]:
    """(text, quick replies, hides_replies) of each message of the turn."""
    return [(say.text, list(say.quick_replies), say.hides_replies) for say in t.effects(Say)]


@pytest.mark.parametrize("written", [False, True], ids=["shared", "written"])
def test_a_button_shares_the_answer_and_vanishes_after_it_used_or_not(talk: Any, written: bool) -> None:
    t = talk({**asking(NUMBER), "good": {"type": "say", "parts": [{"text": "Thanks"}, {"text": "Bye"}]}})
    button = {"title": "My number, Ann", "shares": "contact"}
    t.say("/go")
    assert shown(t) == [("Well?", [button], None)]
    t.say("none of it")
    assert shown(t) == [("Well?", [button], None)]
    t.say("+49 30 901820" if written else None, attachments=[] if written else [SHARED])
    assert (t.contact.profile["phone"], shown(t)) == ("+4930901820", [("Thanks", [], True), ("Bye", [], None)])


def test_a_button_that_shares_is_for_private_chats(talk: Any) -> None:
    t = talk(asking(NUMBER))
    t.conversation.chat = "group"
    t.say("/go")
    assert shown(t) == [("Well?", [], None)]


def test_a_button_whose_title_comes_to_nothing_is_not_shown(talk: Any) -> None:
    t = talk(asking(NUMBER | {"button": "{{ user.nothing }} "}))
    t.say("/go")
    assert shown(t) == [("Well?", [], None)]


def test_a_channel_without_such_a_button_has_the_question_alone(talk: Any) -> None:
    t = talk(asking({"type": "location", "button": "Here"}))
    t.tools.channel["shows"] = frozenset({"quick_replies", "share_contact"})
    t.say("/go")
    assert (shown(t), t.effects(Say)[0].degraded) == ([("Well?", [], None)], ("share_location",))
    t.say("52.52, 13.405")
    assert shown(t)[-1][2] is None


def test_the_checker_warns_where_a_channel_has_no_such_button() -> None:
    known = KnownNames(shows={"plain": frozenset({"quick_replies"}), "telegram": frozenset({"share_contact"})})
    [problem] = [one for one in check(document(asking(NUMBER)), known) if one.code == "not-shown"]
    assert (problem.severity, problem.pointer) == ("warning", "/nodes/ask/input")
    assert "plain" in problem.message
    assert "its text has to say what to send" in problem.message


def test_an_option_whose_title_comes_to_nothing_shows_its_id_and_is_no_answer_without_words(talk: Any) -> None:
    t = talk(
        asking({**LECTURES, "options": [{"id": "k", "title": "{{ memory.nothing }}"}, {"id": "w", "title": "Web"}]})
    )
    t.say("/go")
    [question] = t.effects(Say)
    assert [one["title"] for one in question.quick_replies] == ["k", "Web"]
    t.say("")
    assert t.path[-1] == "ask"
