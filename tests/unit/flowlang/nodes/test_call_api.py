"""API calls of flows: parameters, the envelope and its order, raw answers, failures, messages meanwhile."""

from __future__ import annotations

from typing import Any

import pytest


def calling(**more: Any) -> dict[str, Any]:
    return {
        "call": {
            "type": "call_api",
            "api": "seats-left",
            "params": {"lecture": "{{ user.lecture }}", "n": {"cel": "1 + 1"}, "flat": 5},
            "ports": {"ok": "done", "error": "sorry", "timeout": "late"},
            **more,
        },
        "done": {"type": "say", "parts": [{"text": "{{memory.favourite-thing}} for {{user.age}}"}]},
        "sorry": {"type": "say", "parts": [{"text": "{{ temp.error.type }}: {{ temp.error.detail }}"}]},
        "late": {"type": "say", "parts": [{"text": "Too late"}]},
    }


ANSWER = {
    "responses": ["First {{user.age}}", "Second {{memory.favourite-thing}}"],
    "memory": {"favourite-thing": "3"},
    "user_attributes": {"age": 31, "city": "Oslo"},
    "quickreplies": ["Reserve", "Another"],
    "something else": 1,
}


def test_the_parameters_are_rendered_and_keep_their_types(talk: Any) -> None:
    t = talk(calling())
    t.contact.variables["lecture"] = "{{ 3 }}"
    t.say("/go")
    (call,) = t.calls
    assert (call.api, call.params) == ("seats-left", {"lecture": "{{ 3 }}", "n": 2, "flat": 5})
    assert call.wait == t.token
    assert t.ends == {}


def test_the_envelope_is_applied_in_its_order(talk: Any) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers(ANSWER)
    assert t.texts == ["First 31", "Second 3", "3 for 31"]
    says = [effect for effect in t.turn.effects if type(effect).__name__ == "Say"]
    assert [reply["title"] for reply in says[1].quick_replies] == ["Reserve", "Another"]
    assert (says[0].quick_replies, says[2].quick_replies) == ((), ())
    assert (t.contact.variables["age"], t.contact.profile["city"]) == (31, "Oslo")


def test_quick_replies_without_a_response_come_with_the_next_message(talk: Any) -> None:
    nodes = calling(ports={"ok": "pause", "error": "sorry", "timeout": "late"})
    t = talk(nodes | {"pause": {"type": "delay", "for": "PT1M", "ports": {"next": "done"}}})
    t.say("/go")
    t.api_answers({"quickreplies": ["Yes"], "responses": []})
    assert t.texts == []
    t.fire()
    (said,) = [effect for effect in t.turn.effects if type(effect).__name__ == "Say"]
    assert said.quick_replies == ({"title": "Yes"},)


def test_a_quick_reply_is_its_text_as_the_persons_message(talk: Any) -> None:
    t = talk(calling(), [{"id": "k", "type": "keyword", "any": ["reserve"], "to": "late"}])
    t.say("/go")
    t.api_answers({**ANSWER, "quickreplies": ["Reserve"]})
    t.say("Reserve")
    assert t.texts == ["Too late"]


@pytest.mark.parametrize("body", [{"responses": []}, {"memory": {}}, {"user_attributes": {}}, {"quickreplies": []}])
def test_an_empty_part_counts_as_present(talk: Any, body: Any) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers(body)
    assert t.path[-1] == "done"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "has none of"),
        ({"other": 1}, "has none of"),
        (["responses"], "must be a JSON object"),
        (None, "must be a JSON object"),
        ({"responses": "hello"}, "responses must be a list of strings"),
        ({"responses": [1]}, "responses must be a list of strings"),
        ({"memory": []}, "memory must be an object"),
        ({"user_attributes": "x"}, "user_attributes must be an object"),
        ({"quickreplies": [None]}, "quickreplies must be a list of strings"),
        ({"responses": ["{{ broken"]}, "does not parse"),
        ({"responses": ["{% for i in (1..9) %}x{% endfor %}"]}, "does not parse"),
        ({"responses": ["x"] * 21}, "at most 20"),
        ({"user_attributes": {"external_id": "9"}}, "external_id cannot be set"),
        ({"user_attributes": {"tags": []}}, "tags cannot be set"),
        ({"memory": {"a.b": 1}}, "no dot"),
        ({"memory": {"big": "x" * 50_000}}, "at most"),
    ],
)
def test_a_bad_answer_is_a_clear_error_and_sends_nothing_of_itself(talk: Any, body: Any, says: str) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers(body)
    (text,) = t.texts
    assert says in text
    assert t.path[-1] == "sorry"


def test_responses_see_user_and_memory_only(talk: Any) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers({"responses": ["[{{ bot.shop }}{{ event.body }}{{ system.now }}{{ temp.error }}]{{ user.name }}"]})
    assert t.texts[0] == "[]Ann"


def test_what_an_answer_puts_in_memory_is_never_parsed(talk: Any) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers({"memory": {"favourite-thing": "{{ user.name }}"}})
    assert t.texts == ["{{ user.name }} for "]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"outcome": "timeout", "error": {"type": "timeout", "detail": "no answer"}}, "Too late"),
        (
            {"outcome": "error", "status": 500, "error": {"type": "http-500", "detail": "it broke"}},
            "http-500: it broke",
        ),
        ({"outcome": "error"}, "error: seats-left gave no usable answer"),
    ],
)
def test_a_failed_call_leaves_by_its_port_with_the_reason(talk: Any, result: dict[str, Any], said: str) -> None:
    t = talk(calling())
    t.say("/go")
    t.api_answers(**result)
    assert t.texts == [said]


def test_a_raw_answer_is_read_by_json_path(talk: Any) -> None:
    nodes = calling(response="raw", save={"memory.favourite-thing": "data.items[0].name", "user.age": "data.age"})
    t = talk(nodes)
    t.say("/go")
    t.api_answers({"data": {"items": [{"name": "tea"}], "age": 7}})
    assert t.texts == ["tea for 7"]


@pytest.mark.parametrize(
    ("of_the_step", "of_the_call", "text"),
    [
        ({}, None, "bad-answer: "),
        ({}, "envelope", "bad-answer: "),
        ({}, "raw", " for "),
        ({"response": "envelope"}, "raw", "bad-answer: "),
        ({"response": "raw"}, "envelope", " for "),
        ({"save": {"memory.favourite-thing": "[0]"}}, "envelope", "tea for "),
    ],
)
def test_the_calls_own_response_is_used_where_the_step_says_none(
    talk: Any, of_the_step: dict[str, Any], of_the_call: str | None, text: str
) -> None:
    t = talk(calling(**of_the_step))
    t.say("/go")
    t.api_answers(["tea"], **({"response": of_the_call} if of_the_call else {}))
    assert [said.startswith(text) for said in t.texts] == [True], t.texts


def test_a_raw_answer_that_selects_too_much_is_an_error(talk: Any) -> None:
    nodes = calling(response="raw", save={"memory.x": "[@, @] | [@, @] | [@, @]"})
    t = talk(nodes)
    t.say("/go")
    t.api_answers(list(range(1000)))
    assert t.texts[0].startswith("json-path")


def test_a_late_answer_does_nothing(talk: Any) -> None:
    t = talk(calling())
    t.say("/go")
    token = t.token
    t.api_answers(ANSWER)
    t.api_answers(ANSWER, wait=token)
    assert t.turn.effects == []
    assert t.turn.steps == [{"node": None, "type": "call_result", "port": "late"}]


def test_a_timeout_of_the_node_and_then_the_answer_is_one_timeout(talk: Any) -> None:
    t = talk(calling(timeout="PT10S"))
    t.say("/go")
    token = t.token
    t.fire()
    assert t.texts == ["Too late"]
    t.api_answers(ANSWER, wait=token)
    assert t.turn.effects == []


HELP = [
    {"id": "help", "type": "command", "value": "/help", "to": "late"},
    {"id": "any", "type": "any_message", "to": "late"},
]


def test_messages_wait_for_the_call_and_come_in_their_order(talk: Any) -> None:
    nodes = calling(while_waiting="queue", ports={"ok": "ask", "error": "sorry", "timeout": "done"})
    nodes["ask"] = {
        "type": "ask",
        "text": "?",
        "input": {"type": "text", "save_to": "memory.a"},
        "ports": {"ok": "again"},
    }
    nodes["again"] = {"type": "ask", "text": "{{ memory.a }}?", "input": {"type": "text", "save_to": "memory.b"}}
    t = talk(nodes, HELP)
    t.say("/go")
    t.say("one")
    assert t.turn.rests == []
    t.say("two")
    t.api_answers({"memory": {}})
    assert t.texts == ["?", "one?"]
    assert (t.ends["e2"], t.ends["e3"], t.ends["e1"]) == ("waiting", "completed", "completed")
    assert t.conversation.queued == []


def test_ignored_messages_are_gone_and_their_caller_is_answered(talk: Any) -> None:
    t = talk(calling(while_waiting="ignore"), HELP)
    t.say("/go")
    t.say("hello?")
    assert t.ends == {"e2": "completed"}
    t.api_answers(ANSWER)
    assert "Too late" not in t.texts


def test_an_interrupting_message_runs_at_once_and_the_call_goes_on(talk: Any) -> None:
    t = talk(calling(while_waiting="interrupt"), HELP)
    t.say("/go")
    t.say("/help")
    assert t.texts == ["Too late"]
    assert t.waits_at == "call"
    t.api_answers(ANSWER)
    assert t.texts[-1] == "3 for 31"


def test_a_full_queue_takes_no_more(talk: Any) -> None:
    t = talk(calling())
    t.say("/go")
    for _ in range(20):
        t.say("again")
        assert t.turn.rests == []
    t.say("once more")
    assert t.ends == {"e22": "completed"}


def test_a_long_queue_is_worked_off_over_several_turns(talk: Any) -> None:
    t = talk(calling(), HELP)
    t.say("/go")
    for _ in range(15):
        t.say("again")
    t.api_answers({"memory": {}})
    answered = dict(t.ends)
    turns = 1
    while t.conversation.queued:
        assert len(t.turn.effects) <= 64
        t.fire(next(timer.wait for timer in t.timers if timer.due == t.now))
        answered |= t.ends
        turns += 1
    assert turns > 1
    assert {f"e{n}" for n in range(2, 17)} <= answered.keys()


def test_an_answer_nested_too_deeply_is_an_error(talk: Any) -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    t = talk(calling())
    t.say("/go")
    t.api_answers({"memory": {"favourite-thing": deep}})
    assert t.texts[0].startswith("not-json")


def test_a_call_without_a_timeout_of_its_own_is_not_waited_for_for_ever(talk: Any) -> None:
    """Its answer may be lost on the way: the record, or the delivery with its day."""
    t = talk(calling())
    t.say("/go")
    timer = t.timers[0]
    assert (t.now, timer.due) == ("2026-11-21T12:00:00Z", "2026-11-21T13:00:00.000Z")
    t.fire()
    assert t.texts == ["Too late"]
