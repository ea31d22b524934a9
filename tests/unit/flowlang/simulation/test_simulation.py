"""Scripts on a flow, and what they are told: clock, answers, taps, code, other flows, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flowlang.language.cases import Case
from flowlang.model import RunCode
from flowlang.simulation.cases import Told, play, play_case, to_the_end
from flowlang.simulation.judging import visited_nodes
from flowlang.simulation.stage import Surroundings, flows_of
from support.dialogue import document

ASK = {"type": "ask", "text": "Name?", "input": {"type": "text", "save_to": "user.nick"}, "timeout": "PT1H"}
BYE = {"type": "say", "parts": [{"text": "Bye."}]}
CALL = {"type": "call_api", "api": "seats", "ports": {"ok": "bye", "error": "sorry", "timeout": "late"}}
SORRY = {"type": "say", "parts": [{"text": "Sorry: {{ temp.error.type }}"}]}
LATE = {"type": "say", "parts": [{"text": "Too late."}]}
CALLS = {"call": CALL, "bye": BYE, "sorry": SORRY, "late": LATE}


def told(nodes: dict[str, Any] | list[dict[str, Any]], *steps: dict[str, Any], **fields: Any) -> Told:
    documents = nodes if isinstance(nodes, list) else [document(nodes)]
    case = Case.model_validate({"name": "it", "steps": steps, **fields})
    return to_the_end(play_case(flows_of(documents), documents[0]["slug"], case, SURROUNDINGS), run_code)


SURROUNDINGS = Surroundings({"shop": "Books"}, segment={"named": "contact.name == 'Ann'"}.get)


def run_code(code: RunCode) -> dict[str, Any]:
    return {"wait": code.wait, "ok": True, "value": None, "sent": [code.seed[-1:] and "ran"], "runs": [], "error": None}


def texts(one: Told) -> list[str]:
    return [effect["text"] for step in one.steps for effect in step.effects if effect["effect"] == "say"]


def wrong(one: Told) -> list[tuple[str, str]]:
    return [(problem.pointer, problem.code) for problem in one.problems]


def test_what_is_said_is_asked_and_kept() -> None:
    one = told({"ask": {**ASK, "ports": {"ok": "bye"}}, "bye": BYE}, {"say": "/go"}, {"say": "Ann"})
    assert texts(one) == ["Name?", "Bye."]
    assert one.steps[0].after["conversation"]["session"]["wait"]["node"] == "ask"
    assert one.steps[1].after["contact"]["nick"] == "Ann"
    assert visited_nodes(turn for step in one.steps for turn in step.turns) == ["ask", "bye"]
    assert one.before["conversation"].get("session") is None


def test_time_goes_only_when_the_script_says_so_and_what_is_due_happens_in_its_order() -> None:
    nodes = {"ask": {**ASK, "ports": {"ok": "bye", "timeout": "later"}}, "bye": BYE,
             "later": {"type": "delay", "for": "PT3H", "ports": {"next": "bye"}}}  # fmt: skip
    one = told(nodes, {"say": "/go"}, {"wait": "PT59M"}, {"wait": "PT1M"}, {"wait": "P1D"})
    assert [len(step.turns) for step in one.steps] == [1, 0, 1, 1]
    assert one.steps[2].turns[0]["at"] == "2026-01-05T10:00:00.000Z"
    assert one.steps[3].turns[0]["at"] == "2026-01-05T13:00:00.000Z"


def test_an_answer_that_is_given_comes_at_once_and_the_last_comes_again() -> None:
    answers = {"call": [{"status": 503, "error": {"type": "down"}}, {"body": {"responses": ["Three"]}}]}
    steps = [{"say": "/go"}] * 3
    assert texts(told(CALLS, *steps, given={"answers": answers})) == ["Sorry: down", "Three", "Bye.", "Three", "Bye."]


def test_an_answer_of_the_script_lets_the_person_write_meanwhile() -> None:
    one = told(CALLS, {"say": "/go"}, {"say": "hello?"}, {"answer": {"node": "call", "body": {"responses": ["Two"]}}})
    assert one.steps[2].turns[0]["nodes"][0]["port"] == "ok"
    assert texts(one) == ["Two", "Bye."]
    assert one.steps[1].after["conversation"]["queued"][0]["data"]["text"] == "hello?"


def test_an_answer_may_come_twice_and_late() -> None:
    answer = {"answer": {"node": "call", "body": {"responses": ["Two"]}}}
    one = told(CALLS, {"say": "/go"}, answer, answer, {"say": "/go"}, {"wait": "PT2H"}, answer)
    assert texts(one) == ["Two", "Bye.", "Too late."]
    assert one.problems == []


def test_a_call_that_nobody_answers_leaves_by_its_timeout_and_is_told_when_it_stays_open() -> None:
    assert texts(told(CALLS, {"say": "/go"}, {"wait": "PT2H"})) == ["Too late."]
    assert wrong(told(CALLS, {"say": "/go"})) == [("/steps", "unanswered")]


def test_a_tap_goes_by_the_title_that_was_shown_last() -> None:
    button = {"id": "yes", "title": "Yes", "to": "bye"}
    nodes = {"offer": {"type": "say", "parts": [{"text": "Now?", "buttons": [button]}]}, "bye": BYE}
    assert texts(told(nodes, {"say": "/go"}, {"tap": "Yes"}, {"tap": "Yes"})) == ["Now?", "Bye."]
    one = told(nodes, {"say": "/go"}, {"tap": "No"})
    assert wrong(one) == [("/steps/1/tap", "cannot-play")]
    assert one.problems[0].message == "no button or quick reply 'No' was shown: there are 'Yes'"


def test_code_is_run_by_whoever_drives_it_unless_its_result_is_given() -> None:
    nodes = {"program": {"type": "code", "source": "1 + 1", "save_to": "user.sum"}}
    assert texts(told(nodes, {"say": "/go"})) == ["ran"]
    one = told(nodes, {"say": "/go"}, given={"answers": {"program": {"value": 2, "sent": ["two"]}}})
    assert (texts(one), one.steps[0].after["contact"]["sum"]) == (["two"], 2)


def test_a_command_that_code_runs_for_this_person_comes_to_them() -> None:
    run = {"value": None, "runs": [{"command": "/thanks", "content": {"n": 1}}]}
    trigger = {"id": "thanks", "type": "command", "value": "/thanks", "from": ["chat", "url"], "to": "bye"}
    nodes = {"program": {"type": "code", "source": "1"}, "bye": BYE}
    one = told([document(nodes, [trigger])], {"say": "/go"}, given={"answers": {"program": run}})
    assert [turn["event"]["kind"] for turn in one.steps[0].turns] == ["message", "command"]
    assert texts(one) == ["Bye."]


def test_programs_start_flows_by_their_entries_and_signals_wake_them() -> None:
    bought = {"id": "bought", "type": "webhook", "accept": {"order": "string!"}, "to": "paid"}
    nodes = {
        "paid": {"type": "wait_event", "name": "sent", "timeout": "P1D", "ports": {"event": "bye"}},
        "bye": {"type": "say", "parts": [{"text": "Order {{ memory.order }}"}]},
    }
    start = {"start": {"entry": "bought", "variables": {"order": "7"}}}
    flow = document(nodes, [bought], variables={"order": {"type": "string", "scope": "memory"}})
    assert texts(told([flow], start, {"signal": {"name": "sent"}})) == ["Order 7"]
    one = told([flow], {"start": {"entry": "bought", "variables": {}}}, expect={"ends": "refused"})
    assert (one.problems, one.steps[0].turns[0]["refused"]["type"]) == ([], "variables-wrong")


def test_a_jump_lands_in_another_flow_of_the_bot() -> None:
    other = {**document({"there": BYE}), "slug": "other", "triggers": []}
    assert texts(told([document({"jump": {"type": "jump", "flow": "other"}}), other], {"say": "/go"})) == ["Bye."]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"user": {"name": "Ann"}}, "in"),
        ({"user": {"name": "Bob"}}, "out"),
        ({"user": {"name": "Bob"}, "segments": {"named": True}}, "in"),
        ({"user": {"name": "Ann"}, "segments": {"named": "contact.name == 'Bob'"}}, "out"),
    ],
)
def test_segments_are_the_bots_unless_the_script_says_otherwise(given: dict[str, Any], text: str) -> None:
    nodes = {
        "which": {"type": "condition", "branches": [{"if": "in_segment('named')", "to": "in"}], "else": "out"},
        "in": {"type": "say", "parts": [{"text": "in"}]},
        "out": {"type": "say", "parts": [{"text": "out"}]},
    }
    assert texts(told(nodes, {"say": "/go"}, given=given)) == [text]


def test_links_open_nothing_and_the_bots_variables_are_there() -> None:
    nodes = {"url": {"type": "hook_url", "command": "/go", "save_to": "memory.url", "ports": {"next": "say"}},
             "say": {"type": "say", "parts": [{"text": "{{ bot.shop }} {{ memory.url }}"}]}}  # fmt: skip
    [text] = texts(told(nodes, {"say": "/go"}))
    assert text.startswith("Books https://bot.invalid/command/")


def test_a_flow_that_goes_round_for_ever_is_stopped() -> None:
    nodes = {"again": {"type": "delay", "for": "PT1S", "ports": {"next": "again"}}}
    one = told([document(nodes, session_ttl="P300D")], {"say": "/go"}, {"wait": "P1D"})
    assert wrong(one) == [("/steps/1/wait", "cannot-play")]
    assert one.problems[0].message == "it makes more than 1000 turns: let less time pass"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ({"answer": {"node": "ask"}}, "the node 'ask' has not called anything: of those that did there are none"),
        ({"event": {"kind": "timer"}}, "there is no event 'timer': there are agent_message, "),
        ({"event": {"kind": "owner"}}, "an event 'owner' needs other `data`: KeyError('by')"),
    ],
)
def test_a_step_that_cannot_be_says_why(step: dict[str, Any], sentence: str) -> None:
    one = told({"ask": ASK}, {"say": "/go"}, step)
    assert one.problems[0].code == "cannot-play"
    assert one.problems[0].message.startswith(sentence)


def test_a_message_that_no_channel_has_says_so() -> None:
    nodes = {"ask": {**ASK, "input": {"type": "location", "save_to": "user.where"}}}
    huge = {"attachments": [{"type": "location", "latitude": 10**400, "longitude": 0}]}
    one = told(nodes, {"say": "/go"}, {"message": huge})
    assert [problem.message.partition(":")[0] for problem in one.problems] == ["a message needs other fields"]


AI = {"type": "ai", "model": "main", "input": "Well?", "say": True}
CODE = {"type": "code", "source": "1"}


@pytest.mark.parametrize(
    ("node", "answer"),
    [(AI, {"body": "Hello."}), (AI, {"body": {"calls": [5]}}), (CODE, {"sent": 5}), (CODE, {"runs": [5]})],
)
def test_an_answer_of_another_shape_says_so(node: dict[str, Any], answer: dict[str, Any]) -> None:
    one = told({"node": node}, {"say": "/go"}, given={"answers": {"node": answer}})
    assert wrong(one) == [("/steps/0/say", "cannot-play")]
    assert one.problems[0].message.startswith("an answer needs another shape: ")


def test_an_answer_whose_status_is_null_is_a_good_one() -> None:
    one = told(CALLS, {"say": "/go"}, given={"answers": {"call": {"status": None, "body": {"responses": ["Hi"]}}}})
    assert (texts(one), wrong(one)) == (["Hi", "Bye."], [])


@pytest.mark.parametrize("step", [{}, {"say": "a", "tap": "b"}, {"expect": {}}, {"wait": "soon"}])
def test_a_step_is_one_thing(step: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Case.model_validate({"name": "it", "steps": [step]})


def test_the_same_script_gives_the_same_twice() -> None:
    nodes = {"ask": {**ASK, "ports": {"ok": "call"}}, **CALLS}
    both = [told(nodes, {"say": "/go"}, {"say": "Ann"}, {"wait": "P1D"}).as_json() for _ in range(2)]
    assert both[0] == both[1]


def test_a_script_alone_is_played_too() -> None:
    documents = [document({"bye": BYE})]
    case = Case.model_validate({"name": "it", "steps": [{"start": {}}]})
    one = to_the_end(play(flows_of(documents), "story", case.given, case.steps), run_code)
    assert texts(one) == ["Bye."]


def test_a_language_model_is_shown_what_the_script_has_said() -> None:
    ai = {"type": "ai", "model": "main", "system": "Be short.", "history": 3, "say": True}
    answers = {"ask": {"body": {"text": "Yes."}}}
    one = told({"ask": ai}, {"say": "/go"}, {"say": "/go now"}, given={"answers": answers})
    asked = [effect for step in one.steps for effect in step.effects if effect["effect"] == "ask_model"]
    assert [(line["role"], line["text"]) for line in asked[1]["messages"]] == [
        ("system", "Be short."), ("user", "/go"), ("assistant", "Yes."), ("user", "/go now"),
    ]  # fmt: skip
    assert wrong(one) == []
